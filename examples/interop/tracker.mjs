// The tracker of npm over HTTP and UDP on free ports.
import { Server } from 'bittorrent-tracker'

const server = new Server({ http: true, udp: true, ws: false, stats: false, trustProxy: false })
server.on('error', error => { console.log('error', error.message); process.exit(1) })
server.on('start', address => console.log('start', address))
server.on('complete', address => console.log('complete', address))
server.on('stop', address => console.log('stop', address))
server.on('listening', () => {
  console.log(`http ${server.http.address().port} udp ${server.udp4.address().port} `)
})
server.listen(0, { http: '127.0.0.1', udp4: '127.0.0.1', udp6: '::1' })
