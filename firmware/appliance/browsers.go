package appliance

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/browser"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
)

// browsers are the phones in browsers, with the port of their audio: it is opened for the first one that talks,
// so that an office without them has none.
type browsers struct {
	phones *browser.Phones

	mu      sync.Mutex // guards what follows
	gateway *webrtc.Gateway
	closed  bool
}

// openBrowsers makes the phones of pages.
func (b *Box) openBrowsers() {
	b.browsers.phones = browser.New(browser.Config{
		Log: b.log.With("room", "browser"), Engine: b.engine, Sounds: b.sounds, Language: b.language, Journal: b.hot,
		Answer: b.answerBrowser, Arrive: b.arrive,
		Changed: func(d tel.DeviceID) { b.reach.changed(b, d) },
	})
}

func (b *Box) answerBrowser(ctx context.Context, offer string, port uint16, changed func(webrtc.State)) (browser.Session, string, error) {
	g, err := b.browserPort()
	if err != nil {
		return nil, "", err
	}
	s, answer, err := g.Answer(ctx, offer, port, changed)
	if err != nil {
		return nil, "", err
	}
	return s, answer, nil
}

// browserPort is the port of the audio of browsers.
func (b *Box) browserPort() (*webrtc.Gateway, error) {
	x, c := &b.browsers, b.config().Media
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || c.Browsers.Max == 0 {
		return nil, webrtc.ErrFull
	}
	if x.gateway == nil {
		g, err := webrtc.Open(webrtc.Config{
			Log: b.log.With("room", "browser"), Listen: netip.AddrPortFrom(c.Bind, uint16(c.Browsers.Port)), Engine: c.Bind, Max: c.Browsers.Max, DSCP: c.DSCP,
		})
		if err != nil {
			b.log.Error("browsers cannot talk", "err", err)
			return nil, err
		}
		x.gateway = g
	}
	return x.gateway, nil
}

func (b *Box) closeBrowsers() {
	x := &b.browsers
	if x.phones != nil {
		x.phones.Close()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed = true; x.gateway != nil {
		if err := x.gateway.Close(); err != nil {
			b.log.Warn("the port of browsers does not close well", "err", err)
		}
	}
}

// browserPhone is the page of a person among the phones; ok is false of who may not telephone with it.
func (b *Box) browserPhone(agent tel.AgentID) (d tel.DeviceID, ok bool) {
	a, known := b.numbering.Load().agents[agent]
	if !known {
		return "", false
	}
	return a.BrowserPhone()
}

// pagePhone is the page's way to the phones of browsers.
type pagePhone struct{ b *Box }

// Device implements phone.Port.
func (p pagePhone) Device(agent tel.AgentID) (tel.DeviceID, bool) { return p.b.browserPhone(agent) }

// Attach implements phone.Port.
func (p pagePhone) Attach(d tel.DeviceID, instance string) (phone.Page, string) {
	g, err := p.b.browsers.phones.Attach(d, instance)
	if err != nil {
		return nil, p.sentence(err)
	}
	return attached{p.b.browsers.phones, g}, ""
}

// Watch implements phone.Port.
func (p pagePhone) Watch(d tel.DeviceID) (changed <-chan struct{}, stop func()) {
	return p.b.browsers.phones.Watch(d)
}

// sentence is why something was not done at a phone.
func (p pagePhone) sentence(err error) string {
	for _, x := range []struct {
		err      error
		sentence string
	}{
		{nil, ""},
		{browser.ErrNoCall, "softphone.no_call"},
		{browser.ErrNoPage, "softphone.no_page"},
		{browser.ErrBusy, "softphone.busy"},
		{browser.ErrNotNow, "softphone.not_now"},
		{browser.ErrElsewhere, "softphone.elsewhere"},
		{browser.ErrTooMany, "softphone.pages"},
		{webrtc.ErrFull, "softphone.full"},
		{webrtc.ErrOffer, "softphone.offer"},
		{errCommand, "desk.refused"},
		{errNoTape, "tape.none"},
	} {
		if errors.Is(err, x.err) {
			return x.sentence
		}
	}
	p.b.log.Error("a phone in a browser fails", "err", err)
	return "softphone.audio"
}

// attached is one page of a phone.
type attached struct {
	phones *browser.Phones
	page   *browser.Page
}

// News implements phone.Page.
func (a attached) News() <-chan struct{} { return a.page.News() }

// Orders implements phone.Page.
func (a attached) Orders() any { return a.phones.Orders(a.page) }

// Detach implements phone.Page.
func (a attached) Detach() { a.phones.Detach(a.page) }

// Show implements phone.Port.
func (p pagePhone) Show(d tel.DeviceID) page.Phone {
	now := p.b.browsers.phones.Show(d)
	shown := page.Phone{Ready: now.Ready}
	agent, _, _ := p.b.numbering.Load().AgentAt(d)
	for _, c := range now.Calls {
		name := c.Name
		if name == "" {
			name = p.b.numbering.Load().NameOf(c.Number)
		}
		shown.Calls = append(shown.Calls, page.PhoneCall{
			ID: string(c.ID), Number: c.Number, Name: name, Incoming: c.Incoming, Stage: string(c.Stage), Held: c.Held, Muted: c.Muted,
			Away: c.Away, Since: c.Since, Moving: c.Moving, Refused: c.Refused != 0,
		})
		if c.Stage == browser.Talking && !c.Held && agent != "" {
			x := &shown.Calls[len(shown.Calls)-1]
			x.Tape = p.b.tapeOf(agent, true)
			x.Tape.Action = "/phone/calls/" + x.ID
		}
	}
	return shown
}

// Offer implements phone.Port.
func (p pagePhone) Offer(ctx context.Context, d tel.DeviceID, id tel.LegID, instance, offer string) (answer, sentence string) {
	answer, err := p.b.browsers.phones.Offer(ctx, d, id, instance, offer)
	return answer, p.sentence(err)
}

// Do implements phone.Port.
func (p pagePhone) Do(d tel.DeviceID, what phone.Order) string { return p.sentence(p.do(d, what)) }

func (p pagePhone) do(d tel.DeviceID, what phone.Order) error {
	f := p.b.browsers.phones
	if wish, ok := tapeWish(what.Do); ok {
		agent, _, _ := p.b.numbering.Load().AgentAt(d)
		return p.b.tapeOrder(agent, wish)
	}
	switch what.Do {
	case "dial":
		_, err := f.Dial(d, what.Number)
		return err
	case "answer":
		return f.Pick(d, what.Call)
	case "end":
		return f.End(d, what.Call)
	case "hold", "resume":
		return f.Hold(d, what.Call, what.Do == "hold")
	case "mute", "unmute":
		return f.Mute(d, what.Call, what.Do == "mute")
	case "press":
		return f.Press(d, what.Call, what.Digits)
	case "flash":
		return f.Flash(d, what.Call)
	case "transfer":
		return f.Transfer(d, what.Call, what.Number)
	case "join":
		return f.Transfer(d, what.Call, "")
	default:
		return errCommand
	}
}
