// Who may answer at the addresses that the application connects to, as the
// control plane says. What it said last counts while it is away.

var PREFIX = 'peers:'
// The control plane tells of so many on one stream.
var MOST = 1024
// How long a connection waits until the identity of its destination is known,
// in seconds.
var LOOKUP_TIMEOUT = 5

export default function () {
  var places = {}     // by address
  var dropped = {}    // addresses that the control plane has not been told of
  var watch = null
  var clock = 0

  // expect returns a promise of the SPIFFE IDs that may answer at an address,
  // null if no identity comes to be known there.
  function expect(address) {
    if (dropped[address]) return new Promise(resolve => resolve(null))    // to ask again would not be noticed
    var place = places[address]
    if (!place) {
      makeRoom()
      place = places[address] = { ids: [], waiting: [], used: 0 }
      watch?.()
    }
    place.used = ++clock
    if (place.ids.length > 0) return new Promise(resolve => resolve(place.ids))
    return Promise.race([
      new Promise(resolve => { place.waiting.push(resolve) }),
      new Timeout(LOOKUP_TIMEOUT).wait().then(() => null),
    ])
  }

  function makeRoom() {
    var all = Object.keys(places)
    if (all.length < MOST) return
    var oldest = all[0]
    all.forEach(address => { if (places[address].used < places[oldest].used) oldest = address })
    delete places[oldest]
    dropped[oldest] = true
  }

  // names are what to ask for, which is done with them.
  function names() {
    dropped = {}
    return Object.keys(places).map(address => PREFIX + address)
  }

  // check throws if a peer is not named by its SPIFFE ID: a rule that is not
  // understood may have been meant to keep a peer out.
  function check(secrets) {
    secrets.filter(s => s.name.startsWith(PREFIX)).forEach(s => {
      if (!s.peers.every(id => id.startsWith('spiffe://'))) throw 'secret ' + s.name + ': a peer that is not named by its SPIFFE ID'
    })
  }

  // take keeps what secrets say of addresses.
  function take(secrets) {
    secrets.forEach(s => {
      var place = s.name.startsWith(PREFIX) ? places[s.name.substring(PREFIX.length)] : null
      if (!place) return
      place.ids = s.peers
      if (place.ids.length === 0) return
      place.waiting.forEach(resolve => resolve(place.ids))
      place.waiting = []
    })
  }

  // onChange has f called whenever there are other names.
  return { expect, names, check, take, onChange: f => { watch = f } }
}
