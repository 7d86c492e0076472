// @lvgithub/ctrip-apollo-client: reads, then listens. It tells all that it holds whenever something changed.
'use strict'

const path = require('path')
const { CtripApolloClient } = require('@lvgithub/ctrip-apollo-client')

const told = JSON.parse(process.argv[2])
const tell = (event, namespace, key, value) => console.log(JSON.stringify({ event, namespace, key, value }))
const held = {}

// Its first poll fills the same memory as its start, one namespace at a time, so a namespace may come late.
function compare (configs) {
  for (const [namespace, { configurations }] of Object.entries(configs)) {
    for (const [key, value] of Object.entries(configurations)) {
      const place = `${namespace} ${key}`
      if (held[place] !== value) tell(place in held ? 'changed' : 'value', namespace, key, value)
      held[place] = value
    }
  }
}

async function main () {
  const client = new CtripApolloClient({
    metaServerUrl: told.meta,
    appId: told.app,
    accessKey: told.secret,
    clusterName: 'default', // its own default is a cluster of the name "cluster"
    namespaceList: told.namespaces,
    configPath: path.join(told.folder, 'apollo.json'),
    onChange: compare,
    logger: { info: () => {}, error: line => console.error(line) }
  })
  await client.ready()
}

process.stdin.on('end', () => process.exit(0)).resume()
main().catch(error => {
  console.error(error)
  process.exit(1)
})
