package presence

import (
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What is watched, in the words of the documents.
type (
	// Dialog is one call of a watched number.
	Dialog = document.Dialog
	// Presence says whether a person can be called.
	Presence = document.Presence
)

// topic is what one subscription is about.
type topic struct {
	pkg      Package
	resource string
}

// facts are what other rooms have said of the resources, and which of it the owner has not seen.
type facts struct {
	mu       sync.Mutex
	dialogs  map[string][]Dialog
	lamps    map[string][]Dialog
	messages map[string]document.Messages
	presence map[string]Presence
	progress map[string]progress // of calls that a REFER asked for, by call
	changed  map[topic]bool
}

func newFacts() *facts {
	return &facts{
		dialogs: map[string][]Dialog{}, lamps: map[string][]Dialog{}, messages: map[string]document.Messages{},
		presence: map[string]Presence{}, progress: map[string]progress{}, changed: map[topic]bool{},
	}
}

// takeChanged returns what has changed since the last call.
func (f *facts) takeChanged() map[topic]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.changed) == 0 {
		return nil
	}
	all := f.changed
	f.changed = map[topic]bool{}
	return all
}

// dialogsOf are a resource's calls and, where it is a lamp, its light. The slice is the caller's.
func (f *facts) dialogsOf(resource string) []Dialog {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(slices.Clone(f.dialogs[resource]), f.lamps[resource]...)
}

// messagesOf are the counts of a mailbox; known is false while nobody has said any.
func (f *facts) messagesOf(resource string) (m document.Messages, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, known = f.messages[resource]
	return m, known
}

// presenceOf is closed for a resource of which nothing is known.
func (f *facts) presenceOf(resource string) Presence {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.presence[resource]
}

// state runs set under the lock and, where it reports a change, has the owner tell who watches.
func (s *Server) state(p Package, resource string, set func(*facts) bool) {
	s.facts.mu.Lock()
	changed := set(s.facts)
	if changed {
		s.facts.changed[topic{p, resource}] = true
	}
	s.facts.mu.Unlock()
	if changed {
		s.inbox.poke()
	}
}

// setList puts a list into m, or takes it out when it is empty, and reports whether that is news.
func setList(m map[string][]Dialog, resource string, list []Dialog) bool {
	if slices.Equal(m[resource], list) {
		return false
	}
	if len(list) == 0 {
		delete(m, resource)
	} else {
		m[resource] = slices.Clone(list)
	}
	return true
}

// SetDialogs says what calls a number has now; a call that is left out has ended. It never blocks.
func (s *Server) SetDialogs(resource string, list []Dialog) {
	s.state(Dialogs, resource, func(f *facts) bool { return setList(f.dialogs, resource, list) })
}

// SetLamp says what the key of a number that is no phone shows, such as a park slot or a forced
// opening: on is a steady light, blink a blinking one. It never blocks.
func (s *Server) SetLamp(resource string, on, blink bool) {
	s.state(Dialogs, resource, func(f *facts) bool { return setList(f.lamps, resource, document.Lamp(on, blink)) })
}

// SetMessages says how many voice messages wait; the urgent ones are among the others. It never
// blocks.
func (s *Server) SetMessages(resource string, unread, old, urgentUnread, urgentOld int) {
	now := document.Messages{New: unread, Old: old, UrgentNew: urgentUnread, UrgentOld: urgentOld}
	s.state(Messages, resource, func(f *facts) bool {
		was, known := f.messages[resource]
		f.messages[resource] = now
		return !known || was != now
	})
}

// SetPresence says whether the person at a number can be called. It never blocks.
func (s *Server) SetPresence(resource string, now Presence) {
	s.state(Presences, resource, func(f *facts) bool {
		was := f.presence[resource]
		f.presence[resource] = now
		return was != now
	})
}

// Drop forgets everything about a resource that is no more.
func (s *Server) Drop(resource string) {
	s.SetDialogs(resource, nil)
	s.SetLamp(resource, false, false)
	s.state(Messages, resource, func(f *facts) bool { delete(f.messages, resource); return false })
	s.state(Presences, resource, func(f *facts) bool { delete(f.presence, resource); return false })
}

// deviceTopic is the topic of a phone's registrations.
func deviceTopic(dev tel.DeviceID) topic { return topic{Registrations, string(dev)} }
