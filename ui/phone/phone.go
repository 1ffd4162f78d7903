// Package phone is the page's port to the phones that are a page in a browser.
package phone

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Port is the way to the phones of browsers. A sentence says why something was not done; it is empty
// when it was.
type Port interface {
	// Device is the page of a person among the phones; ok is false of who may not telephone with it.
	Device(agent tel.AgentID) (d tel.DeviceID, ok bool)
	// Show is a phone as its pages show it, and Watch what has an element when that may have changed, until stop is called.
	Show(d tel.DeviceID) page.Phone
	Watch(d tel.DeviceID) (changed <-chan struct{}, stop func())
	// Attach notes a page that may use the microphone, by the name that it gave itself.
	Attach(d tel.DeviceID, instance string) (p Page, sentence string)
	// Offer takes the audio of a page for a call (RFC 3264) and returns the answer.
	Offer(ctx context.Context, d tel.DeviceID, call tel.LegID, instance, offer string) (answer, sentence string)
	Do(d tel.DeviceID, o Order) (sentence string)
}

// Page is one page that is open and ready.
type Page interface {
	News() <-chan struct{}
	// Orders is what the page has to do now, for its script.
	Orders() any
	Detach()
}

// Order is what a person does with the buttons of the page: dial, answer, end, hold, resume, mute, unmute, press, flash,
// transfer (to a number), join (both calls),
// record, record_stop, record_pause or record_resume.
type Order struct {
	Do     string
	Call   tel.LegID
	Number tel.Number // to dial, or to transfer to
	Digits string     // to press
}
