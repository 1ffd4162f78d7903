package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/fax"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// What two machines of different makers say of themselves.
var (
	ofAnna  = []string{"T38FaxVersion:0", "T38MaxBitRate:14400", "T38FaxRateManagement:transferredTCF", "T38FaxMaxBuffer:262", "T38FaxMaxDatagram:90", "T38FaxUdpEC:t38UDPRedundancy"}
	ofBruno = []string{"T38FaxVersion:3", "T38MaxBitRate:9600", "T38FaxFillBitRemoval", "T38FaxRateManagement:transferredTCF", "T38FaxMaxBuffer:1800", "T38FaxMaxDatagram:400", "T38VendorInfo:0 0 37", "T38FaxUdpEC:t38UDPFEC"}
)

// faxAt puts a machine beside a phone's call.
func faxAt(t *testing.T, c *peer.Call, attributes ...string) *peer.Fax {
	t.Helper()
	return oddFaxAt(t, c, func(*peer.Fax) {}, attributes...)
}

// oddFaxAt puts one there that has its ways.
func oddFaxAt(t *testing.T, c *peer.Call, ways func(*peer.Fax), attributes ...string) *peer.Fax {
	t.Helper()
	f, err := peer.NewFax(c.Audio().Local().Addr(), attributes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	ways(f)
	c.Fax(f)
	return f
}

// asks has a machine ask for T.38; again after a collision, as RFC 3261 section 14.1 wants it.
func asks(t *testing.T, c *peer.Call) {
	t.Helper()
	for {
		err := c.OfferFax(t.Context(), nil)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "491") {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
	}
}

// passes fails unless each machine gets what the other sends, as it is.
func passes(t *testing.T, when string, a, b *peer.Fax) {
	t.Helper()
	for _, way := range [][2]*peer.Fax{{a, b}, {b, a}} {
		sent := append([]byte{0, 7, 6}, when[:6]...)
		sent = append(sent, 0, 0)
		if err := way[0].Send(sent); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got, err := way[1].Receive(patience); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%s: % x became % x, %v", when, sent, got, err)
		}
	}
}

func TestTwoMachinesComeToT38AndBackToAudio(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	for _, c := range []struct {
		name    string
		asks    int // 0: who called
		ownLine bool
		back    int
	}{
		{"the called one asks, and goes back", 1, false, 1},
		{"the caller asks, the called one goes back", 0, false, 1},
		{"in a line of its own, and the other one goes back", 1, true, 0},
	} {
		a, b := connected(t, anna, bruno, "202")
		ways := func(who int) func(*peer.Fax) {
			return func(f *peer.Fax) { f.OwnLine = c.ownLine && who == c.asks }
		}
		calls, machines := []*peer.Call{a, b}, []*peer.Fax{oddFaxAt(t, a, ways(0), ofAnna...), oddFaxAt(t, b, ways(1), ofBruno...)}
		allHear(t, c.name, ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
		for round := range 2 { // a second fax in the same call
			asks(t, calls[c.asks])
			if got := machines[0].Told(); !slices.Equal(got, ofBruno) {
				t.Errorf("%s: Anna's machine was told %q", c.name, got)
			}
			if got := machines[1].Told(); !slices.Equal(got, ofAnna) {
				t.Errorf("%s: Bruno's machine was told %q", c.name, got)
			}
			passes(t, c.name, machines[0], machines[1])
			// A session refresh of either, by re-INVITE with or without an offer and by UPDATE, changes nothing and is
			// for the box alone.
			before := machines[0].Asked() + machines[1].Asked()
			for _, by := range calls {
				asks(t, by)
				if err := errors.Join(by.RefreshFax(t.Context()), by.Reoffer(t.Context(), nil)); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			passes(t, "refreshed: "+c.name, machines[0], machines[1])
			if now := machines[0].Asked() + machines[1].Asked(); now != before || before != round+1 {
				t.Errorf("%s: asked %d times, then %d", c.name, before, now)
			}
			again := func(sdp string) string {
				if c.ownLine && calls[c.back] == b {
					sdp += "m=image 0 udptl t38\r\n"
				}
				return sdp
			}
			if err := calls[c.back].Reoffer(t.Context(), again); err != nil {
				t.Fatalf("%s: back to audio: %v", c.name, err)
			}
			allHear(t, "after T.38: "+c.name, ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
		}
		a.Hangup()
		ended(t, b)
	}
}

// A page for a customer goes to the carrier's gateway, at which its machine speaks T.38 too.
func TestAMachineBehindTheCarrierComesToT38(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070})
	carrier, anna := carrierOf(t, o, hzCarrier), deskAt(t, o, 201, hzAgent)
	a := carrier.customer(mobileNumber)
	b := anna.picksUp()
	fa, fb := faxAt(t, a, ofAnna...), faxAt(t, b, ofBruno...)
	allHear(t, "before T.38", ear{"the customer", a, hzAgent}, ear{"Anna", b, hzCarrier})
	asks(t, a)
	passes(t, "with the carrier", fa, fb)
	if err := b.Reoffer(t.Context(), func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	allHear(t, "after T.38", ear{"the customer", a, hzAgent}, ear{"Anna", b, hzCarrier})
	a.Hangup()
	ended(t, b)
}

func TestT38ThatCannotBeIsRefusedAndTheCallGoesOn(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	for name, other := range map[string]func(f *peer.Fax){
		"the other end does not like it":            func(f *peer.Fax) { f.Refuse = 488 },
		"the other end does not know what it is":    func(f *peer.Fax) { f.Refuse = 415 },
		"the other end has no such network":         func(f *peer.Fax) { f.Refuse = 606 },
		"the other end takes it without a stream":   func(f *peer.Fax) { f.NoStream = true },
		"the other end answers when it is too late": func(f *peer.Fax) { f.Late = 9 * time.Second },
	} {
		a, b := connected(t, anna, bruno, "202")
		faxAt(t, a, ofAnna...)
		machine := oddFaxAt(t, b, other, ofBruno...)
		allHear(t, name, ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
		if err := a.OfferFax(t.Context(), nil); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), "488") {
			t.Errorf("%s: %v, want 488", name, err)
		}
		if machine.Late != 0 {
			soundAgain(t, machine, a, b)
		}
		allHear(t, "afterwards: "+name, ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
		if machine.Asked() != 1 || machine.Remote().IsValid() {
			t.Errorf("%s: asked %d times, in T.38 with %v", name, machine.Asked(), machine.Remote())
		}
		a.Hangup()
		ended(t, b)
	}
}

// soundAgain waits until a machine that has agreed to T.38 when nobody waited any more has audio again.
func soundAgain(t *testing.T, f *peer.Fax, calls ...*peer.Call) {
	t.Helper()
	settles(t, "too late", func() error {
		if f.Taken() == 0 || f.Remote().IsValid() {
			return fmt.Errorf("T.38 was taken %d times and goes to %v", f.Taken(), f.Remote())
		}
		return nil
	}, calls...)
}

// Nobody is asked where there is no machine to be asked, so that the fax soon goes on in audio.
func TestT38WithoutAnotherMachineIsRefusedSoon(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, SRTP: []string{"off", "off", "required"}})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	refused := func(when string, c *peer.Call) {
		t.Helper()
		if err := c.OfferFax(t.Context(), nil); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), "488") {
			t.Errorf("%s: %v, want 488", when, err)
		}
	}
	queue := anna.dial("400")
	answered(t, "400", queue)
	faxAt(t, queue, ofAnna...)
	refused("in the queue", queue)
	listen(t, "in the queue", queue)
	queue.Hangup()
	ended(t, queue)

	a, b := connected(t, anna, bruno, "202")
	faxAt(t, a, ofAnna...)
	machine := faxAt(t, b, ofBruno...)
	hold(t, b, true)
	allHear(t, "on hold", ear{"Anna", a, musicHeard}, ear{"Bruno", b, nothing})
	refused("while the other end holds", a)
	hold(t, b, false)
	allHear(t, "afterwards", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	if machine.Asked() != 0 {
		t.Error("the machine of who holds was asked")
	}
	a.Hangup()
	ended(t, b)

	// What was secret does not go on in the clear.
	rings := make(chan *peer.Call, 1)
	secret, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: "203", Password: pbxtest.Password(203),
		Hz: hzCarrier, Law: tone.ALaw, SRTP: true, Incoming: func(c *peer.Call) { c.Answer(); rings <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secret.Close)
	if _, err := secret.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(203)
	a = anna.dial("203")
	answered(t, "203", a)
	b = <-rings
	faxAt(t, a, ofAnna...)
	machine = faxAt(t, b, ofBruno...)
	refused("to who speaks encrypted", a)
	refused("of who speaks encrypted", b)
	allHear(t, "encrypted", ear{"Anna", a, hzCarrier}, ear{"who is encrypted", b, hzCaller})
	if machine.Asked() != 0 {
		t.Error("the machine of who speaks encrypted was asked")
	}
	a.Hangup()
	ended(t, b)
}

// Who asks gives up, or hangs up, while the other end thinks it over; and so may the other end.
func TestWhoGivesUpWaitingForT38LeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)

	a, b := connected(t, anna, bruno, "202")
	faxAt(t, a, ofAnna...)
	machine := oddFaxAt(t, b, func(f *peer.Fax) { f.Late = 2 * time.Second }, ofBruno...)
	give := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() { close(give) })
	if err := a.OfferFax(t.Context(), give); err == nil || !strings.Contains(err.Error(), "487") {
		t.Errorf("cancelled: %v", err)
	}
	soundAgain(t, machine, a, b)
	allHear(t, "after CANCEL", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})

	var asking sync.WaitGroup
	asking.Go(func() { _ = a.OfferFax(t.Context(), nil) })
	time.Sleep(500 * time.Millisecond)
	a.Hangup()
	ended(t, a, b)
	asking.Wait()

	a, b = connected(t, anna, bruno, "202")
	faxAt(t, a, ofAnna...)
	oddFaxAt(t, b, func(f *peer.Fax) { f.Dumb = true }, ofBruno...)
	asking.Go(func() { _ = a.OfferFax(t.Context(), nil) })
	time.Sleep(500 * time.Millisecond)
	b.Hangup()
	ended(t, a, b)
	asking.Wait()
}

// Both machines hear each other at the same moment and ask at once, over and over.
func TestBothMachinesAskForT38AtTheSameInstant(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	for range 3 {
		a, b := connected(t, anna, bruno, "202")
		fa, fb := faxAt(t, a, ofAnna...), faxAt(t, b, ofBruno...)
		var both sync.WaitGroup
		both.Go(func() { asks(t, a) })
		both.Go(func() { asks(t, b) })
		both.Wait()
		passes(t, "both have asked", fa, fb)
		b.Hangup()
		ended(t, a)
	}
}

// Whatever the two do, also at once, they end in the same medium, and reach each other in it.
func TestMachinesThatChangeTheirMindsEndInTheSameMedium(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	fa, fb := faxAt(t, a, ofAnna...), faxAt(t, b, ofBruno...)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	does := map[string]func(c *peer.Call, after time.Duration){
		"asks": func(c *peer.Call, _ time.Duration) { _ = c.OfferFax(t.Context(), nil) },
		"asks and gives up": func(c *peer.Call, after time.Duration) {
			give := make(chan struct{})
			time.AfterFunc(after, func() { close(give) })
			_ = c.OfferFax(t.Context(), give)
		},
		"goes back": func(c *peer.Call, _ time.Duration) { _ = c.Reoffer(t.Context(), func(s string) string { return s }) },
		"refreshes": func(c *peer.Call, _ time.Duration) { _ = c.Reoffer(t.Context(), nil) },
		"waits":     func(*peer.Call, time.Duration) {},
	}
	names := slices.Sorted(maps.Keys(does))
	for range 20 {
		first, second := names[random.IntN(len(names))], names[random.IntN(len(names))]
		later, after := time.Duration(random.IntN(300))*time.Millisecond, time.Duration(random.IntN(20))*time.Millisecond
		when := fmt.Sprintf("seed %d: Anna %s, Bruno %s %v later", seed, first, second, later)
		var both sync.WaitGroup
		both.Go(func() { does[first](a, after) })
		both.Go(func() { time.Sleep(later); does[second](b, after) })
		both.Wait()
		settles(t, when, func() error {
			if x, y := fa.Remote(), fb.Remote(); x.IsValid() != y.IsValid() {
				return fmt.Errorf("T.38 goes to %v and to %v", x, y)
			}
			return nil
		}, a, b)
		if fa.Remote().IsValid() {
			passes(t, when, fa, fb)
		} else {
			allHear(t, when, ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
		}
	}
	a.Hangup()
	ended(t, b)
}

// The program dies, or hands over to the next one, while a page is on its way: the machines notice nothing but what was
// lost meanwhile, and come back to audio afterwards.
func TestT38GoesOnThroughAKillAndAnUpdate(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	fa, fb := faxAt(t, a, ofAnna...), faxAt(t, b, ofBruno...)
	asks(t, b)
	passes(t, "before the kill", fa, fb)
	for _, end := range []func(){o.Kill, o.Kill, o.HandOver} {
		end()
		asks(t, a) // a refresh, which also tells that the calls are back
		passes(t, "in the next process", fa, fb)
	}
	if fa.Asked()+fb.Asked() != 1 {
		t.Errorf("asked %d times", fa.Asked()+fb.Asked())
	}
	time.Sleep(11 * time.Second) // whoever is alone in T.38 is looked for by now
	passes(t, "in peace after it", fa, fb)
	if err := a.Reoffer(t.Context(), func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	allHear(t, "after T.38", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	a.Hangup()
	ended(t, b)
}

// The program dies while the other end thinks T.38 over; what that says then reaches the next process, which knows
// nothing of it. Both have audio afterwards.
func TestAKillWhileAMachineIsAskedForT38LeavesBothInAudio(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	faxAt(t, a, ofAnna...)
	machine := oddFaxAt(t, b, func(f *peer.Fax) { f.Late = 3 * time.Second }, ofBruno...)
	var asking sync.WaitGroup
	asking.Go(func() {
		if err := a.OfferFax(t.Context(), nil); !errors.Is(err, peer.ErrStatus) {
			t.Errorf("who asked was told %v", err)
		}
	})
	settles(t, "the other end is asked", func() error {
		if machine.Asked() == 0 {
			return errors.New("it is not")
		}
		return nil
	}, a, b)
	o.Kill()
	asking.Wait()
	soundAgain(t, machine, a, b)
	allHear(t, "after the kill", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	a.Hangup()
	ended(t, b)
}

// A machine whose partner is gone to somebody else gets its audio back.
func TestAFaxThatIsTransferredIsHeardAgain(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	a, b := connected(t, anna, bruno, "202")
	fa, fb := faxAt(t, a, ofAnna...), faxAt(t, b, ofBruno...)
	asks(t, b)
	passes(t, "before the transfer", fa, fb)
	refer(t, b, "203")
	c := carla.picksUp()
	allHear(t, "after the transfer", ear{"Anna", a, hzCarrier}, ear{"Carla", c, hzCaller})
	if fa.Remote().IsValid() {
		t.Error("Anna's machine is left in T.38")
	}
	a.Hangup()
	ended(t, c)
}

var media = regexp.MustCompile(`(?s)c=IN IP4 (\S+).*m=(?:audio|image) (\d+) `)

// boxPort is where the box wants what a call sends.
func boxPort(t *testing.T, c *peer.Call) netip.AddrPort {
	t.Helper()
	m := media.FindStringSubmatch(c.Described())
	if m == nil {
		t.Fatalf("no media in %q", c.Described())
	}
	return netip.MustParseAddrPort(net.JoinHostPort(m[1], m[2]))
}

// Two machines of libspandsp send a page through a box, and each way to and from it loses every twentieth datagram: what
// comes is what was sent, to the point.
func TestAFaxOfOnePagePassesInT38WhileOneDatagramInTwentyIsLost(t *testing.T) {
	t.Parallel()
	program := fax.Build(t)
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent.tif"), filepath.Join(dir, "received.tif")
	fax.Page(t, sent, 400)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	ends := []*t38End{
		{Fax: faxAt(t, a, ofAnna...), Machine: program.Start(t, true, fax.T38, sent)},
		{Fax: faxAt(t, b, ofBruno...), Machine: program.Start(t, false, fax.T38, received)},
	}
	asks(t, b)
	link := rand.New(rand.NewPCG(38, 5))
	lost := 0
	for range 70 * 50 {
		var arrived [2][]fax.Message
		for i, e := range ends {
			for _, m := range e.Tick(e.come) {
				if link.IntN(20) == 0 { // before the box
					e.writer.Datagram(m)
					lost++
					continue
				}
				if err := e.Send(e.writer.Datagram(m)); err != nil {
					t.Fatal(err)
				}
				d, err := ends[1-i].Receive(patience) // what reaches the box comes out of it
				if err != nil {
					t.Fatalf("message %d: %v", m.Seq, err)
				}
				if link.IntN(20) == 0 { // behind the box
					lost++
					continue
				}
				messages, err := ends[1-i].reader.Messages(d)
				if err != nil {
					t.Fatal(err)
				}
				arrived[1-i] = append(arrived[1-i], messages...)
			}
		}
		ends[0].come, ends[1].come = arrived[0], arrived[1]
	}
	for _, e := range ends {
		e.Whole()
		if e.reader.Repaired == 0 {
			t.Error("nothing was lost: the test is not one")
		}
	}
	if !bytes.Equal(program.Points(t, sent), program.Points(t, received)) {
		t.Error("the page is another")
	}
	t.Logf("%d datagrams were lost; repaired %d and %d, not %d and %d", lost, ends[0].reader.Repaired, ends[1].reader.Repaired, ends[0].reader.Lost, ends[1].reader.Lost)
	a.Hangup()
	ended(t, b)
}

// t38End is a machine of libspandsp at a phone's end of the network.
type t38End struct {
	*peer.Fax
	*fax.Machine
	writer fax.Writer
	reader fax.Reader
	come   []fax.Message
}

// A machine that asks for T.38 in vain sends its page in sound.
func TestAFaxOfOnePagePassesInSoundAfterT38WasRefused(t *testing.T) {
	t.Parallel()
	program := fax.Build(t)
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent.tif"), filepath.Join(dir, "received.tif")
	fax.Page(t, sent, 400)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	ends := []*soundEnd{
		{Machine: program.Start(t, true, fax.Audio, sent), call: a, Header: rtp.Header{Version: 2, PayloadType: 8, SSRC: 201}},
		{Machine: program.Start(t, false, fax.Audio, received), call: b, Header: rtp.Header{Version: 2, PayloadType: 8, SSRC: 202}},
	}
	for _, e := range ends {
		e.open(t)
	}
	faxAt(t, b, ofBruno...)
	if err := b.OfferFax(t.Context(), nil); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), "488") {
		t.Fatalf("%v, want 488: the other end knows sound alone", err)
	}
	for range 70 * 50 {
		for i, e := range ends {
			e.say(t, ends[1-i])
		}
	}
	for _, e := range ends {
		e.Whole()
	}
	if !bytes.Equal(program.Points(t, sent), program.Points(t, received)) {
		t.Error("the page is another")
	}
	a.Hangup()
	ended(t, b)
}

// soundEnd is a machine that speaks in the place of a phone's voice, tick by tick.
type soundEnd struct {
	*fax.Machine
	call  *peer.Call
	conn  *net.UDPConn
	heard [160]int16
	rtp.Header
}

var coder = tone.NewCoder(tone.ALaw)

// open moves the audio of the call to the machine's own socket.
func (e *soundEnd) open(t *testing.T) {
	t.Helper()
	var err error
	if e.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.conn.Close() })
	port := strconv.Itoa(e.conn.LocalAddr().(*net.UDPAddr).Port)
	e.call.Audio().Mute(true)
	if err := e.call.Reoffer(t.Context(), func(sdp string) string {
		return regexp.MustCompile(`m=audio \d+`).ReplaceAllString(sdp, "m=audio "+port)
	}); err != nil {
		t.Fatal(err)
	}
}

// say sends a packet of sound through the box, which the other end hears in its next tick.
func (e *soundEnd) say(t *testing.T, other *soundEnd) {
	t.Helper()
	pcm := e.Hear(e.heard[:])
	e.Timestamp += uint32(len(pcm))
	e.SequenceNumber++
	packet, err := (&rtp.Packet{Header: e.Header, Payload: coder.Encode(nil, pcm[:])}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.conn.WriteToUDPAddrPort(packet, boxPort(t, e.call)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	_ = other.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := other.conn.Read(b)
	var got rtp.Packet
	if err == nil {
		err = got.Unmarshal(b[:n])
	}
	if err != nil || len(got.Payload) != len(pcm) {
		t.Fatalf("packet %d: %d bytes, %v", e.SequenceNumber, n, err)
	}
	coder.Decode(other.heard[:0], got.Payload)
}
