// ctrip-apollo-client: reads, then listens. It tells all that it holds whenever something changed.
'use strict'

const path = require('path')
const { CtripApplloClient } = require('ctrip-apollo-client')

const told = JSON.parse(process.argv[2])
const tell = (event, namespace, key, value) => console.log(JSON.stringify({ event, namespace, key, value }))
const held = {}

function compare (event, configs) {
  for (const [namespace, { configurations }] of Object.entries(configs)) {
    for (const [key, value] of Object.entries(configurations)) {
      const place = `${namespace} ${key}`
      if (held[place] !== value) tell(event, namespace, key, value)
      held[place] = value
    }
  }
}

async function main () {
  const client = new CtripApplloClient({
    configServerUrl: told.meta,
    appId: told.app,
    clusterName: 'default', // its own default is a cluster of the name "cluster"
    namespaceList: told.namespaces,
    configPath: path.join(told.folder, 'apollo.json'),
    logger: { info: () => {}, error: line => console.error(line) }
  })
  await client.init()
  compare('value', client.getConfigs())
  client.onChange(configs => compare('changed', configs))
}

process.stdin.on('end', () => process.exit(0)).resume()
main().catch(error => {
  console.error(error)
  process.exit(1)
})
