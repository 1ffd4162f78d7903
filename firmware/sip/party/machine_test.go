package party

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var ourAddr = netip.MustParseAddr("192.0.2.1")

// machine is a phone with a fax machine, at the far end of a leg.
type machine struct {
	*end
	name  string
	local sdp.Local
	image sdp.Image // what it has
	offer *sdp.Local
	fore  *sdp.Local // its side before an answer that may be too late
	told  sdp.Image  // what it was told of the other machine

	// How it takes an offer of T.38; the shard's, or set before anything happens.
	refuse   int           // with this status
	noStream bool          // with 200 and no stream
	dumb     bool          // never
	late     time.Duration // not at once
	slow     time.Duration // and so every other offer

	asked int   // for T.38
	got   []int // final statuses of its own offers
	ended bool
}

func parsedSDP(t testing.TB, body []byte) *sdp.Session {
	t.Helper()
	s, err := sdp.Parse(body)
	if err != nil {
		t.Errorf("%v in\n%s", err, body)
		return &sdp.Session{}
	}
	return s
}

func (m *machine) notice(e dialog.Event) {
	switch e := e.(type) {
	case dialog.Reoffered:
		m.reoffered(parsedSDP(m.n.t, e.SDP))
	case dialog.ReofferDone:
		m.done(e)
	case dialog.Ignored:
		if e.Command == "answer reoffer" && m.fore != nil {
			m.local = *m.fore
		}
	case dialog.Ended:
		m.ended = true
	}
}

func (m *machine) reoffered(offer *sdp.Session) {
	im, fax := offer.Image()
	if !fax {
		m.answersIn(m.slow, offer, nil)
		return
	}
	again := m.local.Image != nil
	if !again {
		m.asked++
	}
	switch {
	case again:
		m.answersIn(m.slow, offer, &im)
	case m.dumb:
	case m.refuse != 0:
		m.command(core.DoRejectReoffer{Status: m.refuse})
	case m.noStream:
		m.command(core.DoAnswerReoffer{SDP: bytes.ReplaceAll(m.says(offer, &im), fmt.Appendf(nil, "m=image %d", m.local.RTP), []byte("m=image 0"))})
	default:
		m.answersIn(m.late, offer, &im)
	}
}

func (m *machine) answersIn(wait time.Duration, offer *sdp.Session, im *sdp.Image) {
	if wait == 0 {
		m.answer(offer, im)
		return
	}
	time.AfterFunc(wait, func() { m.post(func() { m.answer(offer, im) }) })
}

// says is its answer in one medium.
func (m *machine) says(offer *sdp.Session, im *sdp.Image) []byte {
	to := m.local
	to.Image = nil
	if im != nil {
		to.Image = &m.image
	}
	out, _, err := sdp.Answer(offer, to)
	if err != nil {
		m.n.t.Errorf("%s cannot answer: %v", m.name, err)
	}
	return out
}

func (m *machine) answer(offer *sdp.Session, im *sdp.Image) {
	out, before := m.says(offer, im), m.local
	m.fore = &before
	m.local.Image, m.local.Last = nil, out
	if im != nil {
		m.local.Image, m.told = &m.image, *im
	}
	m.command(core.DoAnswerReoffer{SDP: out})
}

// wants has it offer T.38 or audio.
func (m *machine) wants(fax bool) {
	m.post(func() {
		if m.offer != nil {
			return
		}
		to := m.local
		to.Image = nil
		if fax {
			to.Image = &m.image
		}
		to.Version++
		to.Last = sdp.Offer(to)
		m.offer = &to
		m.feed(core.DoReoffer{SDP: to.Last})
	})
}

func (m *machine) done(e dialog.ReofferDone) {
	to := m.offer
	m.offer = nil
	m.got = append(m.got, e.Status)
	if e.Status != 200 || to == nil {
		return
	}
	answer := parsedSDP(m.n.t, e.SDP)
	if _, err := sdp.Accept(*to, answer); err != nil {
		m.n.t.Errorf("%s is answered with what it cannot use: %v\n%s", m.name, err, e.SDP)
		return
	}
	m.local = *to
	if im, ok := answer.Image(); ok {
		m.told = im
	}
}

// givesUp cancels its offer.
func (m *machine) givesUp() {
	m.post(func() {
		if m.state.Exchange.Turn == core.TurnOurs {
			m.cancel()
		}
	})
}

func (m *machine) hangsUp() { m.post(func() { m.feed(core.DoHangup{Cause: tel.CauseNormal}) }) }

// side is one party of the call: its leg, what the network and the engine know of it, and its machine.
type side struct {
	*leg
	box     *end
	line    *port
	machine *machine
	half    *voice.Half

	mu    sync.Mutex
	ended bool
	faxes int // it was told that there is a fax
}

// duo is a call of two machines through the box.
type duo struct {
	*testing.T
	n       *network
	office  *Office
	process *process
	a, b    *side
	stays   bool // who is left stays, as after a transfer
}

// halves are two parties of an engine, which no packet ever reaches: their names are what is wanted.
func halves(t testing.TB) (cfg Config, all [2]*voice.Half) {
	t.Helper()
	engine, err := media.New(media.Config{Log: slog.New(slog.DiscardHandler), Bind: netip.MustParseAddr("127.0.0.1"), PortMin: 26000, PortMax: 26199})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	cfg = Config{
		Log: slog.New(slog.DiscardHandler), Engine: engine, Advertise: func(stack.Flow) netip.Addr { return ourAddr },
		Codecs: []codec.ID{codec.PCMA, codec.PCMU},
	}
	for i, name := range []string{"phone:201", "phone:202"} {
		all[i], err = voice.Open(voice.Config{Log: cfg.Log, Engine: engine, Language: func() string { return "it" }, Party: name, Events: func(call.LegEvent) {}}, media.LegConfig{Advertise: ourAddr})
		if err != nil {
			t.Fatal(err)
		}
	}
	return cfg, all
}

// connect makes the call, in a bubble of fake time.
func connect(t *testing.T, cfg Config, all [2]*voice.Half, delay func() time.Duration) *duo {
	d := &duo{T: t, n: &network{t: t, delay: delay}, office: New(cfg), process: &process{}}
	ports := &sync.Mutex{}
	one := func(i int, name string, incoming bool, has ...string) *side {
		s := &side{half: all[i], line: &port{mu: ports, id: all[i].ID(), rtp: uint16(20000 + 2*i)}}
		var phone *end
		s.box, phone = d.n.dialogOf(name, incoming)
		s.machine = &machine{end: phone, name: name, image: sdp.Image{Attributes: has}}
		s.machine.local = sdp.Local{
			Addr: netip.MustParseAddr(fmt.Sprint("192.0.2.", 10+i)), RTP: uint16(30000 + 2*i), RTCP: uint16(30001 + 2*i),
			Codecs: []codec.ID{codec.PCMA}, Ptime: 20, Direction: sdp.SendRecv, SessionID: uint64(1 + i), Version: 1,
		}
		phone.sink = s.machine.notice
		d.fresh(s)
		s.local = d.office.local(nil, ourAddr, s.line.rtp, s.line.rtp+1)
		ours := sdp.Offer(s.local)
		s.local.Last = ours
		theirs, _, err := sdp.Answer(parsedSDP(t, ours), s.machine.local)
		if err != nil {
			t.Fatal(err)
		}
		s.machine.local.Last = theirs
		for x, bodies := range map[*end][2][]byte{s.box: {ours, theirs}, phone: {theirs, ours}} {
			x.state.LocalSDP, x.state.RemoteSDP, x.state.SDPVersion = bodies[0], bodies[1], 1
			x.saved = x.state
		}
		s.box.sink = s.leg.notice
		if err := s.answered(theirs); err != nil {
			t.Fatal(err)
		}
		s.connected()
		return s
	}
	d.a = one(0, "201", true, "T38FaxVersion:0", "T38FaxMaxDatagram:90", "T38FaxUdpEC:t38UDPRedundancy")
	d.b = one(1, "202", false, "T38FaxVersion:3", "T38FaxMaxDatagram:400", "T38FaxUdpEC:t38UDPFEC")
	d.a.line.joined(d.b.line)
	return d
}

// fresh makes the leg of a side for the process of now.
func (d *duo) fresh(s *side) {
	l := &leg{Half: s.half, o: d.office, label: s.machine.name}
	of := d.process
	l.audio, l.talk = sound{s.line, of}, func() dialogue { return session{s.box, of} }
	l.events = func(e call.LegEvent) {
		if of.dead.Load() {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		switch e.Kind {
		case call.LegEnded:
			s.ended = true
			if other := d.other(s); other != nil && !d.stays { // as the call does
				d.hangUp(other)
			}
		case call.LegMachine:
			s.faxes++
		}
	}
	s.leg, s.line.stranded = l, l.stranded
}

func (d *duo) other(s *side) *side {
	switch s {
	case d.a:
		return d.b
	case d.b:
		return d.a
	}
	return nil
}

// kill ends the process between two steps of any shard, and starts the next one with what the journals hold.
func (d *duo) kill() {
	d.n.still.Lock()
	defer d.n.still.Unlock()
	d.process.dead.Store(true)
	d.process = &process{}
	d.office = New(d.office.cfg)
	for _, s := range []*side{d.a, d.b} {
		x := s.box
		for _, clock := range x.timers {
			clock.Stop()
		}
		clear(x.timers)
		if x.saved.ID == "" { // over, and forgotten
			x.state, x.sink = core.State{ID: x.id, Phase: core.Gone, Cause: tel.CauseNormal}, func(dialog.Event) {}
			continue
		}
		kept, err := x.saved.Encode()
		if err != nil {
			d.Fatal(err)
		}
		if x.state, err = core.Decode(kept); err != nil {
			d.Fatal(err)
		}
		x.saved, x.life, x.queue, x.running, x.current = x.state, x.life+1, nil, false, nil
		r := dialog.Restored{Phase: x.state.Phase, Live: x.state.Live(), LocalSDP: x.state.LocalSDP, RemoteSDP: x.state.RemoteSDP, SDPVersion: x.state.SDPVersion}
		var early []dialog.Event
		x.sink = func(e dialog.Event) { early = append(early, e) }
		x.feed(core.Restart{})
		if !r.Live {
			continue
		}
		d.fresh(s)
		s.move.from = time.Now().Add(calm)
		d.office.recall(s.leg, r)
		s.resumeFax(r.RemoteSDP)
		s.connected()
		x.sink = s.leg.notice
		for _, e := range early {
			s.leg.notice(e)
		}
	}
}

// at lets time pass until nothing more moves at a moment.
func (d *duo) at(after time.Duration) {
	d.n.mark()
	time.Sleep(after)
	synctest.Wait()
}

// quiet waits until whatever was begun is over, however it ended, and judges.
func (d *duo) quiet(when string) {
	d.Helper()
	d.at(10 * time.Minute)
	d.n.mu.Lock()
	for _, r := range d.n.open {
		if !r.from.other.deaf {
			d.Errorf("%s: a re-INVITE of %q was never answered:\n%s", when, r.from.id, r.Body)
		}
	}
	d.n.mu.Unlock()
	for _, s := range []*side{d.a, d.b} {
		fax := s.line.media.Image
		if !s.box.state.Live() {
			continue
		}
		if inside := s.local.Image != nil; inside != fax || (s.machine.local.Image != nil) != fax && !s.machine.deaf {
			d.Errorf("%s: %s is in T.38 by its own account: %v, by ours: %v, by the engine's: %v", when, s.machine.name, s.machine.local.Image != nil, inside, fax)
		}
		if p := s.line.peer; fax && (p == nil || !p.media.Image) {
			d.Errorf("%s: %s is alone in T.38", when, s.machine.name)
		}
		if f := &s.fax; f.asks != nil || f.asked != nil || f.sound || f.mute {
			d.Errorf("%s: %s waits for something: %+v", when, s.machine.name, f)
		}
		if other := d.other(s).machine; fax && !slices.Equal(s.machine.told.Attributes, other.image.Attributes) {
			d.Errorf("%s: %s was told %q, and the other has %q", when, s.machine.name, s.machine.told.Attributes, other.image.Attributes)
		}
	}
}

// hangUp has the box end the dialog of a side.
func (d *duo) hangUp(s *side) {
	session{s.box, d.process}.command(core.DoHangup{Cause: tel.CauseNormal})
}

// fax reports whether both are in T.38, and audio whether both are in audio.
// meet joins the audio of both, as a call does.
func (d *duo) meet() {
	d.a.line.joined(d.b.line)
	d.a.leg.passOn()
	d.b.leg.passOn()
}

func (d *duo) fax() bool   { return d.a.line.media.Image && d.b.line.media.Image }
func (d *duo) audio() bool { return !d.a.line.media.Image && !d.b.line.media.Image }

// over hangs up and lets everything end.
func (d *duo) over() {
	d.a.machine.hangsUp()
	d.b.machine.hangsUp()
	d.at(10 * time.Minute)
	for _, s := range []*side{d.a, d.b} {
		close(s.box.inbox)
		close(s.machine.inbox)
	}
	synctest.Wait()
}

// inCall runs one story of a call of two machines.
func inCall(t *testing.T, stories map[string]func(d *duo)) {
	cfg, all := halves(t)
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := connect(t, cfg, all, func() time.Duration { return 10 * time.Millisecond })
				story(d)
				d.over()
			})
		})
	}
}

// ended tells how the first offers of a machine ended.
func (d *duo) statuses(m *machine, want ...int) {
	d.Helper()
	if !slices.Equal(m.got, want) {
		d.Errorf("the offers of %s ended with %v, want %v", m.name, m.got, want)
	}
}

func (d *duo) both(medium string) {
	d.Helper()
	if is := map[bool]string{d.fax(): "T.38", d.audio(): "audio"}[true]; is != medium {
		d.Errorf("both are in %q, want %s", is, medium)
	}
}
