// Package trace remembers the SIP messages of the last calls in memory, bounded in dialogs and in bytes, and shows
// them as a ladder or as a pcapng file. What opens doors (credentials, keys of audio, pressed digits, texts) is
// covered in whatever leaves it.
package trace

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The bounds of a ring where its Limits say nothing.
const (
	defaultDialogs = 500
	defaultBytes   = 8 << 20
	// perDialog bounds one dialog, in bytes, so that a loud one does not push out the others.
	perDialog = 256 << 10
	// overhead is what a message costs beside its text.
	overhead = 160
)

// Limits bound what is remembered. Zero values are 500 dialogs and 8 MiB.
type Limits struct {
	Dialogs int
	Bytes   int
}

// Message is one SIP message on the wire.
type Message struct {
	At            time.Time
	Out           bool // sent by us
	Transport     string
	Local, Remote netip.AddrPort
	Text          []byte
}

// Dialog is what was sent and received with one Call-ID.
type Dialog struct {
	CallID   string
	Call     tel.CallID // of the box's call, once it is known
	Messages []Message
	Lost     int // messages that did not fit

	bytes int
}

// Ring remembers. Its methods may be called from any goroutine.
type Ring struct {
	limits Limits

	mu      sync.Mutex // guards what follows
	dialogs map[string]*Dialog
	order   []*Dialog // the one with the newest message last
	bytes   int
}

// New makes a ring without memories.
func New(l Limits) *Ring {
	if l.Dialogs <= 0 {
		l.Dialogs = defaultDialogs
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	return &Ring{limits: l, dialogs: map[string]*Dialog{}}
}

// Add remembers a copy of a message. What does not belong to a call (no INVITE began it) is passed over, so that
// registrations push no call out.
func (r *Ring) Add(m Message) {
	id := header(m.Text, "call-id", 'i')
	if len(id) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dialogs[string(id)]
	if d == nil {
		if !bytes.HasPrefix(m.Text, []byte("INVITE ")) {
			return
		}
		d = &Dialog{CallID: string(id)}
		r.dialogs[d.CallID] = d
		r.order = append(r.order, d)
	} else if last := len(r.order) - 1; r.order[last] != d {
		at := slices.Index(r.order, d)
		copy(r.order[at:], r.order[at+1:])
		r.order[last] = d
	}
	size := len(m.Text) + overhead
	if d.bytes+size > min(perDialog, r.limits.Bytes) {
		d.Lost++
		return
	}
	m.Text = bytes.Clone(m.Text)
	d.Messages = append(d.Messages, m)
	d.bytes += size
	r.bytes += size
	for len(r.order) > r.limits.Dialogs || r.bytes > r.limits.Bytes {
		r.bytes -= r.order[0].bytes
		delete(r.dialogs, r.order[0].CallID)
		r.order = slices.Delete(r.order, 0, 1)
	}
}

// Bind says which call of the box a SIP dialog is a leg of. A leg that goes over to another call is of that one.
func (r *Ring) Bind(callID string, call tel.CallID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.dialogs[callID]; d != nil {
		d.Call = call
	}
}

// Find gives what is remembered of a call: by the box's name or by a SIP Call-ID, each dialog in the order in which
// it began, with everything covered that opens doors.
func (r *Ring) Find(name string) (all []Dialog) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.order {
		if d.CallID == name || d.Call == tel.CallID(name) && name != "" {
			x := *d
			x.Messages = slices.Clone(d.Messages)
			all = append(all, x)
		}
	}
	for i := range all {
		for j := range all[i].Messages {
			all[i].Messages[j].Text = Cover(all[i].Messages[j].Text)
		}
	}
	slices.SortStableFunc(all, func(a, b Dialog) int { return first(a).Compare(first(b)) })
	return all
}

func first(d Dialog) time.Time {
	if len(d.Messages) == 0 {
		return time.Time{}
	}
	return d.Messages[0].At
}

// Size is how many dialogs and bytes are remembered.
func (r *Ring) Size() (dialogs, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.order), r.bytes
}

// header finds a header field's value in a message, by its long name in lower case or its short one (RFC 3261 section
// 7.3.3); nothing when there is none.
func header(text []byte, name string, short byte) []byte {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return nil
		}
		if key, value, ok := bytes.Cut(line, []byte(":")); ok {
			key = bytes.TrimSpace(key)
			if len(key) == len(name) && bytes.EqualFold(key, []byte(name)) || len(key) == 1 && key[0]|0x20 == short {
				return bytes.TrimSpace(value)
			}
		}
		text = rest
	}
	return nil
}

// Forget forgets the dialogs in whose messages match finds somebody, and returns the calls of the box that they were
// legs of. Known are all calls of which a dialog is still remembered.
func (r *Ring) Forget(match func(text []byte) bool) (forgotten map[tel.CallID]bool, known map[tel.CallID]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	forgotten, known = map[tel.CallID]bool{}, map[tel.CallID]bool{}
	for _, d := range r.order {
		known[d.Call] = true
		if slices.ContainsFunc(d.Messages, func(m Message) bool { return match(m.Text) }) {
			forgotten[d.Call] = true
		}
	}
	r.order = slices.DeleteFunc(r.order, func(d *Dialog) bool {
		gone := forgotten[d.Call] && (d.Call != "" || slices.ContainsFunc(d.Messages, func(m Message) bool { return match(m.Text) }))
		if gone {
			r.bytes -= d.bytes
			delete(r.dialogs, d.CallID)
		}
		return gone
	})
	return forgotten, known
}

// Call is the box's name of a call, by that name or by a SIP Call-ID; the name itself where nothing is known of it.
func (r *Ring) Call(name string) tel.CallID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.dialogs[name]; d != nil && d.Call != "" {
		return d.Call
	}
	return tel.CallID(name)
}
