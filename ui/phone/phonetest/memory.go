// Package phonetest is a phone in a browser without calls, in memory.
package phonetest

import (
	"context"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
)

// At is the moment at which the calls of Busy have begun.
var At = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Memory is the phone of Anna; nobody else has one. It implements phone.Port.
type Memory struct {
	mu      sync.Mutex // guards what follows
	shown   page.Phone
	orders  []phone.Order
	offers  []string
	refusal string
	pages   chan int // tells each number of pages
	ready   int
	news    chan struct{}
}

// Busy is a phone with a call in each stage, of a party with a name that was sent.
func Busy(name string) *Memory {
	return &Memory{shown: page.Phone{Ready: true, Calls: []page.PhoneCall{
		{ID: "l1", Number: "+393331112222", Name: name, Incoming: true, Stage: "ringing", Since: At},
		{ID: "l2", Number: "202", Stage: "talking", Held: true, Muted: true, Refused: true, Since: At},
		{ID: "l3", Stage: "talking", Away: true, Moving: true, Since: At, Tape: page.Tape{Action: "/phone/calls/l3", On: true, Ends: true}},
		{ID: "l4", Number: "0612345678", Stage: "calling", Since: At},
		{ID: "l5", Number: "0612345678", Stage: "connecting", Since: At},
	}}, news: make(chan struct{}, 1), pages: make(chan int, 64)}
}

// Refuse has everything answered with a sentence; none: everything is done.
func (m *Memory) Refuse(sentence string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusal = sentence
}

// Change replaces what is shown, and says so.
func (m *Memory) Change(p page.Phone) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = p
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// Orders are those that were given.
func (m *Memory) Orders() []phone.Order {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]phone.Order(nil), m.orders...)
}

// Offers are those that came.
func (m *Memory) Offers() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.offers...)
}

// Pages has how many pages are ready each time that this has changed.
func (m *Memory) Pages() <-chan int { return m.pages }

// Device implements phone.Port.
func (m *Memory) Device(agent tel.AgentID) (tel.DeviceID, bool) {
	return "browser-anna", agent == "anna"
}

// Show implements phone.Port.
func (m *Memory) Show(tel.DeviceID) page.Phone {
	m.mu.Lock()
	defer m.mu.Unlock()
	shown := m.shown
	shown.Calls = append([]page.PhoneCall(nil), shown.Calls...)
	return shown
}

// Watch implements phone.Port.
func (m *Memory) Watch(tel.DeviceID) (changed <-chan struct{}, stop func()) { return m.news, func() {} }

// Attach implements phone.Port.
func (m *Memory) Attach(tel.DeviceID, string) (phone.Page, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusal != "" {
		return nil, m.refusal
	}
	m.ready++
	m.pages <- m.ready
	return ready{m}, ""
}

// Offer implements phone.Port.
func (m *Memory) Offer(_ context.Context, _ tel.DeviceID, call tel.LegID, instance, offer string) (answer, sentence string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers = append(m.offers, string(call)+" "+instance+" "+offer)
	return "v=0\r\n", m.refusal
}

// Do implements phone.Port.
func (m *Memory) Do(_ tel.DeviceID, o phone.Order) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, o)
	return m.refusal
}

// ready is a page that may use the microphone.
type ready struct{ m *Memory }

// News implements phone.Page.
func (ready) News() <-chan struct{} { return nil }

// Orders implements phone.Page.
func (ready) Orders() any { return map[string]bool{"ring": true} }

// Detach implements phone.Page.
func (r ready) Detach() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.ready--
	r.m.pages <- r.m.ready
}
