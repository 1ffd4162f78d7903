package appliance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc/webrtctest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
)

// pageShop is the shop where Anna telephones with the page, and has no telephone of her own.
func pageShop(t *testing.T) *bench {
	t.Helper()
	b := start(t, shop)
	b.apply(func(c *config.Config) {
		c.Agents[0].Phones, c.Agents[0].Browser = nil, true
		c.Queues[0].WrapUp = time.Minute
	})
	return b
}

// annasPage is one page of Anna's phone.
type annasPage struct {
	*bench
	port     pagePhone
	device   tel.DeviceID
	instance string
	page     phone.Page
}

func (b *bench) annasPage(instance string) *annasPage {
	b.t.Helper()
	p := &annasPage{bench: b, port: pagePhone{b.box}, instance: instance}
	var ok bool
	if p.device, ok = p.port.Device("anna"); !ok {
		b.t.Fatal("Anna may not telephone with the page")
	}
	var sentence string
	if p.page, sentence = p.port.Attach(p.device, instance); sentence != "" {
		b.t.Fatal(sentence)
	}
	b.t.Cleanup(func() { p.page.Detach() })
	return p
}

// shows waits until the page shows calls of these stages, and returns them.
func (p *annasPage) shows(stages ...string) []page.PhoneCall {
	p.t.Helper()
	var calls []page.PhoneCall
	p.eventually("the page shows "+strings.Join(stages, ", "), func() bool {
		calls = p.port.Show(p.device).Calls
		var now []string
		for _, c := range calls {
			now = append(now, c.Stage)
		}
		return slices.Equal(now, stages)
	})
	return calls
}

func (p *annasPage) do(what string, call page.PhoneCall, number tel.Number, keys string) {
	p.t.Helper()
	if s := p.port.Do(p.device, phone.Order{Do: what, Call: tel.LegID(call.ID), Number: number, Digits: keys}); s != "" {
		p.t.Fatalf("%s: %s", what, s)
	}
}

// connects has the page offer its audio for a call, as its script does.
func (p *annasPage) connects(call page.PhoneCall) *webrtctest.Browser {
	p.t.Helper()
	w := webrtctest.New(p.t)
	answer, sentence := p.port.Offer(p.t.Context(), p.device, tel.LegID(call.ID), p.instance, w.Offer)
	if sentence != "" {
		p.t.Fatal(sentence)
	}
	w.Take(answer)
	return w
}

// telephone is a SIP phone with a voice, which answers every call and tells of it.
func (b *bench) telephone(user string, hz int, taken chan<- *peer.Call) *peer.Peer {
	b.t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(newAddress(), 0), Box: netip.MustParseAddrPort(b.sip), User: user, Password: "password-of-" + user, Law: tone.ALaw, Hz: hz,
		Incoming: func(c *peer.Call) { c.Answer(); taken <- c },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	if _, err := p.Register(b.t.Context(), time.Hour); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// hears waits until a phone's party is heard as a tone.
func (b *bench) hears(c *peer.Call, hz int) {
	b.t.Helper()
	b.eventually("the phone hears the page", func() bool {
		return tone.Heard(tone.Tail(c.Audio().Heard(), tone.Rate/2, 0), hz) == nil
	})
}

func TestAPageTakesACallOfAQueue(t *testing.T) {
	b := pageShop(t)
	bruno := b.telephone("202", 500, nil)
	if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	waits, err := bruno.Dial(peer.Outgoing{To: "400"})
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("Anna cannot be reached without a page", func() bool {
		d, err := b.box.desk(t.Context(), "anna")
		return err == nil && d.State == tel.AgentUnreachable
	})
	p := b.annasPage("one")
	call := p.shows("ringing")[0]
	if call.Number != "202" || call.Name != "Bruno" || !call.Incoming {
		t.Errorf("the page shows %+v", call)
	}
	p.do("answer", call, "", "")
	p.shows("connecting")
	w := p.connects(call)
	w.Says(900)
	p.shows("talking")
	p.hears(waits, 900)
	w.Hears(500)
	lamp := func(want tel.AgentState) {
		t.Helper()
		b.eventually("the lamp is "+want.String(), func() bool {
			l, ok := now(b, func(l tel.LampChanged) bool { return l.Lamp == "desk1" })
			return ok && l.State == want
		})
	}
	lamp(tel.AgentTalking)
	p.do("hold", call, "", "")
	lamp(tel.AgentHold)
	b.quiet(waits, 900)
	p.do("resume", call, "", "")
	lamp(tel.AgentTalking)
	p.hears(waits, 900)
	w.Hears(500)
	p.do("mute", call, "", "")
	b.quiet(waits, 900)
	p.do("unmute", call, "", "")
	p.hears(waits, 900)
	p.do("end", call, "", "")
	p.shows()
	b.ended(waits)
	lamp(tel.AgentWrapUp)
}

// quiet waits until a phone hears a party no longer.
func (b *bench) quiet(c *peer.Call, hz int) {
	b.t.Helper()
	c.Audio().Forget()
	b.eventually("the phone does not hear the page", func() bool {
		pcm := tone.Tail(c.Audio().Heard(), tone.Rate/2, 0)
		return len(pcm) > tone.Rate/4 && tone.Heard(pcm, hz) != nil // silence, or music
	})
}

func (b *bench) ended(c *peer.Call) {
	b.t.Helper()
	select {
	case <-c.Ended():
	case <-time.After(patience):
		b.t.Fatal("the call of the phone does not end")
	}
}

func TestAPageCallsAndSendsItsPartyOn(t *testing.T) {
	b := pageShop(t)
	taken := make(chan *peer.Call, 4)
	b.telephone("202", 500, taken)
	b.telephone("203", 700, taken)
	p := b.annasPage("one")
	begin := func(number tel.Number, stages ...string) (page.PhoneCall, *webrtctest.Browser, *peer.Call) {
		t.Helper()
		p.do("dial", page.PhoneCall{}, number, "")
		all := p.shows(append(stages, "connecting")...)
		call := all[len(all)-1]
		w := p.connects(call)
		select {
		case c := <-taken:
			p.shows(append(stages, "talking")...)
			return call, w, c
		case <-time.After(patience):
			t.Fatal("nobody is called")
			return call, nil, nil
		}
	}
	call, w, bruno := begin("202")
	w.Says(900)
	b.hears(bruno, 900)
	w.Hears(500)

	p.do("transfer", call, "203", "")
	var carla *peer.Call
	select {
	case carla = <-taken:
	case <-time.After(patience):
		t.Fatal("the transfer rings nowhere")
	}
	p.shows()
	b.hears(carla, 500)
	b.hears(bruno, 700)
	bruno.Hangup()
	b.ended(carla)

	first, _, bruno := begin("202") // attended: the second call holds the first
	_, second, carla := begin("203", "talking")
	if now := p.shows("talking", "talking"); !now[0].Held || now[1].Held {
		t.Errorf("held: %v, %v", now[0].Held, now[1].Held)
	}
	second.Says(1100)
	b.hears(carla, 1100)
	p.do("join", first, "", "")
	b.hears(carla, 500)
	b.hears(bruno, 700)
	p.shows()
	carla.Hangup()
	b.ended(bruno)
}

func TestAPageThatIsLoadedAnewGoesOnWithItsCall(t *testing.T) {
	b := pageShop(t)
	bruno := b.telephone("202", 500, nil)
	p := b.annasPage("one")
	c, err := bruno.Dial(peer.Outgoing{To: "201"})
	if err != nil {
		t.Fatal(err)
	}
	call := p.shows("ringing")[0]
	p.do("answer", call, "", "")
	w := p.connects(call)
	w.Says(900)
	b.hears(c, 900)
	w.Leave()
	p.page.Detach()
	b.eventually("the loss is seen", func() bool { all := p.port.Show(p.device).Calls; return len(all) == 1 && all[0].Away })
	b.quiet(c, 900)
	p = b.annasPage("two")
	w = p.connects(p.shows("talking")[0])
	w.Says(900)
	b.hears(c, 900)
	w.Hears(500)
	if all := p.shows("talking"); all[0].Away {
		t.Error("the page is still away")
	}
	c.Hangup()
	p.shows()
}
