// A node of bittorrent-dht: puts or gets one value through another node.
// Usage: node dht.mjs NODE put TEXT | sign TEXT SALT SEQ SECRET | get NAME [SALT]
// SECRET is a private key of Ed25519, NAME a hash or, with SALT, a public key: all in hexadecimal.
import crypto from 'node:crypto'
import DHT from 'bittorrent-dht'

const [node, action, first, salt, seq, secret] = process.argv.slice(2)
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

function verify (signature, message, key) {
  const der = Buffer.concat([SPKI, Buffer.from(key)])
  const publicKey = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' })
  return crypto.verify(null, Buffer.from(message), publicKey, Buffer.from(signature))
}

const dht = new DHT({ bootstrap: [node], host: false, verify })
const end = (error, text) => {
  console.log(error ? `error ${error.message}` : text)
  dht.destroy(() => process.exit(error ? 1 : 0))
}
const hex = bytes => Buffer.from(bytes).toString('hex')

dht.on('ready', () => {
  if (action === 'put') {
    dht.put({ v: Buffer.from(first) }, (error, hash) => end(error, `hash ${hash && hex(hash)}`))
  } else if (action === 'sign') {
    const der = Buffer.concat([PKCS8, Buffer.from(secret, 'hex')])
    const key = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    const k = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
    const sign = message => crypto.sign(null, Buffer.from(message), key)
    const item = { k, sign, seq: Number(seq), v: Buffer.from(first) }
    if (salt) item.salt = Buffer.from(salt)
    dht.put(item, error => end(error, `key ${hex(k)}`))
  } else {
    const bytes = Buffer.from(first, 'hex')
    const mutable = salt !== undefined
    const salted = Buffer.concat([bytes, Buffer.from(salt ?? '')])
    const target = mutable ? crypto.createHash('sha1').update(salted).digest() : bytes
    dht.get(target, { salt: Buffer.from(salt ?? '') }, (error, found) => {
      if (error || !found) return end(error ?? new Error('nothing was found'))
      end(null, `value ${Buffer.from(found.v)} seq ${found.seq ?? '-'}`)
    })
  }
})
