package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Conference is a conference room and who is in it.
type Conference struct {
	tel.ConferenceChanged
	Title  string
	Number tel.Number // by which it is dialled; empty: only other ways lead there
	Codes  bool       // it asks for one
	Limit  int
}

// Led reports whether a leader is there.
func (c Conference) Led() bool {
	for _, m := range c.Members {
		if m.Leader {
			return true
		}
	}
	return false
}

// AllMuted reports whether everybody but the leaders is silent.
func (c Conference) AllMuted() bool {
	for _, m := range c.Members {
		if !m.Leader && !m.Muted {
			return false
		}
	}
	return true
}

// Conferences is the page of the conference rooms.
type Conferences struct {
	Reader Reader
	Box    string
	Said   Said
	Rooms  []Conference
	Change bool // the reader may change the rooms
}

// Keys are what can be pressed in a room behind a star; a leader has all of them.
func (Conferences) Keys() []string { return []string{"6", "1", "2", "3", "5", "0"} }

// Conferences renders the conference rooms with who is in them.
func (r *Renderer) Conferences(c Conferences, now time.Time) ([]byte, error) {
	return r.shell("conferences.html", "conferences", c.Box, c.Reader, c, now)
}
