// ctrip-apollo: reads, then listens.
'use strict'

const apollo = require('ctrip-apollo')

// Its own policy waits 10 s longer after each failure.
const PAUSE_AFTER_FAILURE_MS = 500

const told = JSON.parse(process.argv[2])
const tell = (event, namespace, key, value) => console.log(JSON.stringify({ event, namespace, key, value }))

async function main () {
  const app = apollo({
    host: told.meta,
    appId: told.app,
    cachePath: told.folder,
    pollingRetryPolicy: () => ({ delay: PAUSE_AFTER_FAILURE_MS })
  })
  // A document is read as what it is on the wire, properties with one key: its type JSON never sees a change.
  // All are added at once: one that is added later waits for the end of the running poll.
  const all = told.namespaces.map(name => [name, app.namespace(name)])
  for (const [name, namespace] of all) {
    namespace.on('change', ({ key, newValue }) => tell('changed', name, key, newValue))
    namespace.on('add', ({ key, value }) => tell('changed', name, key, value))
    await namespace.ready()
    for (const [key, value] of Object.entries(namespace.config())) tell('value', name, key, value)
  }
}

process.stdin.on('end', () => process.exit(0)).resume()
main().catch(error => {
  console.error(error)
  process.exit(1)
})
