// A webtorrent client without WebRTC: seeds or fetches one torrent over TCP.
// Usage: node webtorrent.mjs PORT SECURE TORRENT FOLDER [PEER]; SECURE is 0 (plain), 1 (encryption first) or 2 (RC4 only).
import WebTorrent from 'webtorrent'

const [port, secure, torrent, folder, peer] = process.argv.slice(2)
const client = new WebTorrent({
  dht: false, lsd: false, natUpnp: false, natPmp: false, utp: false, tracker: false,
  torrentPort: Number(port), secure: Number(secure)
})
client.on('error', error => { console.log('error', error.message); process.exit(1) })
client.add(torrent, { path: folder }, added => {
  console.log('added', added.progress)
  if (peer) added.addPeer(peer)
  if (added.done) console.log('complete')
  added.on('done', () => console.log('complete'))
})
