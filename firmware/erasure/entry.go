package erasure

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrNumber is the error of a number that nobody outside of the house has: an extension, a short or emergency number.
var ErrNumber = errors.New("only a number of somebody outside can be erased")

// Entry is one erasure. It is kept for good, here and in every backup: a backup of before it must not bring the person
// back.
type Entry struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`   // when it was ordered
	By   string    `json:"by"`   // user of the page
	From string    `json:"from"` // address of the user
	Why  string    `json:"why"`
	// Key is random and of this entry alone, Hash the HMAC-SHA256 by it of the number in international form. Two
	// erasures of one person cannot be told to be that; who has this file can only try numbers.
	Key  []byte `json:"key"`
	Hash []byte `json:"hash"`
	// Alias takes the number's place.
	Alias tel.Number `json:"alias"`
	// Until ends what is erased: records of later are of a person who has called anew. Zero: the erasing has not come
	// to its end yet.
	Until time.Time `json:"until,omitzero"`
	// Recordings of the person's calls by their identifiers, since they do not tell a number.
	Recordings []string `json:"recordings,omitempty"`
	Erased     Count    `json:"erased,omitzero"`
	// Open says that this box has still to go over its state, as after a restore.
	Open bool `json:"open,omitempty"`
}

// Count is how much an erasure has found.
type Count struct {
	Records    int `json:"records,omitempty"`    // of the journal that lost the number
	Callbacks  int `json:"callbacks,omitempty"`  // and missed calls: nobody calls back
	Messages   int `json:"messages,omitempty"`   // in mailboxes
	Texts      int `json:"texts,omitempty"`      // short messages
	Recordings int `json:"recordings,omitempty"` // of conversations
	Held       int `json:"held,omitempty"`       // of them stay, because somebody holds them as evidence
}

// Add sums up what several goes have found. What is held is what the last one left.
func (c Count) Add(o Count) Count {
	return Count{
		Records: c.Records + o.Records, Callbacks: c.Callbacks + o.Callbacks, Messages: c.Messages + o.Messages, Texts: c.Texts + o.Texts,
		Recordings: c.Recordings + o.Recordings, Held: o.Held,
	}
}

// keySize is that of an entry's key, in bytes.
const keySize = sha256.Size

// New makes the entry of an erasure that begins now. ErrNumber for a number without an international form.
func New(n tel.Number, by, from, why string, now time.Time) (Entry, error) {
	number, ok := n.E164()
	if !ok {
		return Entry{}, fmt.Errorf("%w: %s", ErrNumber, n.Masked())
	}
	e := Entry{At: now.UTC().Round(0), By: by, From: from, Why: why, Key: make([]byte, keySize), Open: true}
	var id [8]byte
	_, _ = rand.Read(e.Key) // crypto/rand.Read never fails since Go 1.24
	_, _ = rand.Read(id[:])
	e.ID, e.Hash = hex.EncodeToString(id[:]), hashOf(e.Key, number)
	tail, err := rand.Int(rand.Reader, big.NewInt(aliases))
	if err != nil {
		return Entry{}, fmt.Errorf("erase a number: %w", err)
	}
	e.Alias = tel.Number(fmt.Sprintf("%s%0*d", tel.ErasedPrefix, aliasDigits, tail))
	return e, nil
}

// An alias has so many digits, of which there are so many.
const (
	aliasDigits = 10
	aliases     = 1e10
)

func hashOf(key []byte, n tel.Number) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(n))
	return sum.Sum(nil)
}

// is tells whether a number in international form is the erased one.
func (e *Entry) is(n tel.Number) bool { return hmac.Equal(e.Hash, hashOf(e.Key, n)) }

// covers tells whether what was written down at a moment is erased; a zero moment is: nobody knows when.
func (e *Entry) covers(at time.Time) bool {
	return e.Until.IsZero() || at.IsZero() || !at.After(e.Until)
}

// whole tells whether an entry is what New makes; a file may have been written by others.
func (e *Entry) whole() bool {
	return e.ID != "" && len(e.Key) == keySize && len(e.Hash) == sha256.Size && e.Alias.Erased()
}

// List is erasures in the order in which they were asked for.
type List []Entry

// Merge is what two boxes, or a box and a backup of it, know together; everything is to be gone over again, because
// what was restored is older than it. An erasure that both know keeps what the first knows of it.
func (l List) Merge(o List) List {
	all := slices.Clone(l)
	for _, e := range o {
		i := slices.IndexFunc(all, func(x Entry) bool { return x.ID == e.ID })
		if i < 0 {
			all = append(all, e)
			continue
		}
		all[i].Recordings = union(all[i].Recordings, e.Recordings)
		if all[i].Until.IsZero() {
			all[i].Until = e.Until
		}
	}
	for i := range all {
		all[i].Open = true
	}
	all.sort()
	return all
}

func (l List) sort() {
	slices.SortStableFunc(l, func(a, b Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Open are the erasures that this box has still to go over its state for.
func (l List) Open() List {
	var open List
	for _, e := range l {
		if e.Open {
			open = append(open, e)
		}
	}
	return open
}
