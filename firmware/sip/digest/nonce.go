package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// Verdict is what Nonces thinks of a nonce.
type Verdict uint8

// The verdicts.
const (
	NonceForeign Verdict = iota // not made with our key: forged, or from before a lost key
	NonceStale                  // ours, but too old, from before a restart, or given to another address
	NonceFresh                  // ours and in time
)

// A nonce is 6 bytes of milliseconds, 6 random bytes, 12 bytes of HMAC over both, and 6 bytes of
// HMAC over both and the scope.
const (
	nonceStamp = 6
	nonceBody  = 12
	nonceSeal  = 24
	nonceSize  = 30
)

// NonceKeySize is the length of the HMAC key in bytes.
const NonceKeySize = 32

// Nonces makes and judges nonces that carry their own proof (RFC 7616 section 5.4): a challenge to
// a stranger leaves nothing in memory. Only nonces that were used with a right password are
// remembered, to refuse a count that was seen before. Safe for concurrent use.
type Nonces struct {
	key      [NonceKeySize]byte
	lifetime time.Duration
	start    time.Time // with its monotonic reading: wall clock jumps do not age nonces

	mu    sync.Mutex
	used  map[[nonceBody]byte]*counts
	order [][nonceBody]byte // of first use, oldest first
	limit int
	floor int64 // nonces issued before this instant are stale
}

// counts remembers which nonce counts were used: last, and the 64 counts up to it as bits, because
// UDP may swap two requests.
type counts struct {
	last uint32
	seen uint64
}

// NewNonces returns nonces with the given lifetime whose table of used ones never exceeds limit
// entries. A key of NonceKeySize bytes from an earlier process makes that process's nonces stale
// instead of foreign, so that phones try again without asking anybody; any other key is replaced
// by a new random one.
func NewNonces(key []byte, lifetime time.Duration, limit int, now time.Time) *Nonces {
	n := &Nonces{lifetime: lifetime, start: now, limit: max(limit, 1), used: map[[nonceBody]byte]*counts{}}
	n.floor = n.stamp(now)
	if len(key) == NonceKeySize {
		copy(n.key[:], key)
		// The counts of the earlier process are gone, so its nonces must not be fresh again, not
		// even one of this millisecond.
		n.floor++
	} else {
		_, _ = rand.Read(n.key[:])
	}
	return n
}

// Key is the HMAC key, for the hot journal.
func (n *Nonces) Key() []byte { return append([]byte(nil), n.key[:]...) }

// stamp is wall time at the start plus time passed since by the monotonic clock, in milliseconds.
func (n *Nonces) stamp(now time.Time) int64 {
	return n.start.UnixMilli() + now.Sub(n.start).Milliseconds()
}

// Issue makes a nonce for one scope (the peer's address): a nonce seen by one host is useless to
// another, so nobody can collect failures in a neighbour's name.
func (n *Nonces) Issue(now time.Time, scope string) string {
	var raw [nonceSize]byte
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(n.stamp(now)))
	copy(raw[:nonceStamp], stamp[8-nonceStamp:])
	_, _ = rand.Read(raw[nonceStamp:nonceBody])
	seal, bind := n.macs(raw[:nonceBody], scope)
	copy(raw[nonceBody:nonceSeal], seal)
	copy(raw[nonceSeal:], bind)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func (n *Nonces) macs(body []byte, scope string) (seal, bind []byte) {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(body)
	seal = h.Sum(nil)[:nonceSeal-nonceBody]
	h.Write([]byte(scope))
	return seal, h.Sum(nil)[:nonceSize-nonceSeal]
}

func decodeNonce(nonce string) (raw [nonceSize]byte, ok bool) {
	if base64.RawURLEncoding.DecodedLen(len(nonce)) != nonceSize {
		return raw, false
	}
	k, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(nonce))
	return raw, err == nil && k == nonceSize
}

func issued(raw []byte) int64 {
	var stamp [8]byte
	copy(stamp[8-nonceStamp:], raw[:nonceStamp])
	return int64(binary.BigEndian.Uint64(stamp[:]))
}

// Check judges a nonce without remembering anything.
func (n *Nonces) Check(nonce, scope string, now time.Time) Verdict {
	raw, ok := decodeNonce(nonce)
	if !ok {
		return NonceForeign
	}
	seal, bind := n.macs(raw[:nonceBody], scope)
	if !hmac.Equal(seal, raw[nonceBody:nonceSeal]) {
		return NonceForeign
	}
	if !hmac.Equal(bind, raw[nonceSeal:]) {
		return NonceStale
	}
	n.mu.Lock()
	floor := n.floor
	n.mu.Unlock()
	if at := issued(raw[:]); at < floor || n.tooOld(at, now) || at > n.stamp(now) {
		return NonceStale
	}
	return NonceFresh
}

func (n *Nonces) tooOld(at int64, now time.Time) bool {
	return n.stamp(now)-at >= n.lifetime.Milliseconds()
}

// Aging reports whether more than half of the nonce's life is over, which is the time to hand out
// the next one.
func (n *Nonces) Aging(nonce string, now time.Time) bool {
	raw, ok := decodeNonce(nonce)
	return ok && n.stamp(now)-issued(raw[:]) > n.lifetime.Milliseconds()/2
}

// Use marks one count of a nonce as used and reports whether it had not been used before. Call it
// only with a fresh nonce whose response was verified, so that strangers cannot fill the table.
// Count 0 (no qop) may be used once per nonce. When the table is full its oldest entry goes, and
// with it the freshness of every nonce issued up to then: forgetting never allows a replay.
func (n *Nonces) Use(nonce string, count uint32, now time.Time) bool {
	raw, ok := decodeNonce(nonce)
	if !ok {
		return false
	}
	id := [nonceBody]byte(raw[:nonceBody])
	n.mu.Lock()
	defer n.mu.Unlock()
	if issued(id[:]) < n.floor {
		return false
	}
	c := n.used[id]
	if c == nil {
		n.makeRoom(now)
		if issued(id[:]) < n.floor {
			return false
		}
		n.used[id] = &counts{last: count, seen: 1}
		n.order = append(n.order, id)
		return true
	}
	return c.mark(count)
}

func (c *counts) mark(count uint32) bool {
	if count > c.last {
		c.seen = c.seen<<(count-c.last) | 1 // a shift of 64 and more leaves 0
		c.last = count
		return true
	}
	back := c.last - count
	if back >= 64 || c.seen&(1<<back) != 0 {
		return false
	}
	c.seen |= 1 << back
	return true
}

func (n *Nonces) makeRoom(now time.Time) {
	for len(n.order) > 0 {
		oldest := n.order[0]
		at := issued(oldest[:])
		if !n.tooOld(at, now) {
			if len(n.order) < n.limit {
				return
			}
			n.floor = max(n.floor, at+1)
		}
		delete(n.used, oldest)
		n.order = n.order[1:]
	}
}
