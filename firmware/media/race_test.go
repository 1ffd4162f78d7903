//go:build race

package media

// raced says that the race detector is at work: it makes sync.Pool, which pion/srtp uses, forget at
// random.
const raced = true
