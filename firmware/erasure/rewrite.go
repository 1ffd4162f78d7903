package erasure

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// nobody stands where a name stood: a name that becomes empty would change what a queue is replayed from.
const nobody = `"—"`

// JSON is a record without the erased numbers: each becomes its alias, and beside one, in the same object, names and
// what the person has written go. Everything else keeps its place and its bytes. What is no JSON loses the numbers
// alone.
func (m *Match) JSON(b []byte, at time.Time) (out []byte, changed bool) {
	if len(m.list) == 0 || !m.In(b, at) {
		return b, false
	}
	if !json.Valid(b) {
		return m.replace(b, at)
	}
	r := rewriter{m: m, at: at, in: b}
	r.value()
	return r.out, r.changed
}

// said are members of an object that say more of the person whose number stands in it, by their names in lower case;
// what stands in their place.
func said(name string) (instead string, ok bool) {
	switch name {
	case "name", "caller_name", "callername", "remote_name", "remotename":
		return nobody, true
	case "text", "raw":
		return "", true
	}
	return "", false
}

// rewriter goes over valid JSON once, from its beginning to its end.
type rewriter struct {
	m       *Match
	at      time.Time
	in      []byte
	i       int
	out     []byte
	changed bool
}

// value copies one value with the white space around it; hit tells that it is a text with an erased number.
func (r *rewriter) value() (hit bool) {
	r.space()
	switch r.in[r.i] {
	case '{':
		r.object()
	case '[':
		r.list()
	case '"':
		hit = r.text()
	default:
		for r.i < len(r.in) && bytes.IndexByte([]byte(",]} \t\r\n"), r.in[r.i]) < 0 {
			r.take()
		}
	}
	r.space()
	return hit
}

func (r *rewriter) take() {
	r.out = append(r.out, r.in[r.i])
	r.i++
}

func (r *rewriter) space() {
	for r.i < len(r.in) && bytes.IndexByte([]byte(" \t\r\n"), r.in[r.i]) >= 0 {
		r.take()
	}
}

// text copies a string, as it is escaped, and tells whether an erased number was in it.
func (r *rewriter) text() (hit bool) {
	end := r.i + 1
	for r.in[end] != '"' {
		if r.in[end] == '\\' {
			end++
		}
		end++
	}
	s, hit := r.m.replace(r.in[r.i:end+1], r.at)
	r.out, r.i, r.changed = append(r.out, s...), end+1, r.changed || hit
	return hit
}

func (r *rewriter) list() {
	r.take()
	r.space()
	for r.in[r.i] != ']' {
		r.value()
		if r.in[r.i] == ',' {
			r.take()
		}
	}
	r.take()
}

// member is where a member of an object that says more of somebody begins and ends in the output.
type member struct {
	from, to int
	instead  string
}

func (r *rewriter) object() {
	r.take()
	r.space()
	var more []member
	person := false
	for r.in[r.i] != '}' {
		key := r.i
		r.text()
		name := strings.ToLower(strings.Trim(string(r.in[key:r.i]), `"`))
		r.space()
		r.take() // the colon
		r.space()
		m := member{from: len(r.out)}
		kind := r.in[r.i]
		if r.value() {
			person = true
		}
		m.to = len(bytes.TrimRight(r.out, " \t\r\n"))
		if instead, ok := said(name); ok {
			switch {
			case kind == '[':
				m.instead = "[]"
				more = append(more, m)
			case kind == '"' && m.to-m.from > len(`""`):
				if m.instead = instead; instead == "" {
					m.instead = `""`
				}
				more = append(more, m)
			}
		}
		if r.in[r.i] == ',' {
			r.take()
			r.space()
		}
	}
	r.take()
	if !person {
		return
	}
	for i := len(more) - 1; i >= 0; i-- { // from behind, so that the places before stay
		m := more[i]
		r.out = append(r.out[:m.from], append([]byte(m.instead), r.out[m.to:]...)...)
	}
}
