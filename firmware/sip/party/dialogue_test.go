package party

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// network is between the ends of dialogs, in fake time. It loses nothing, and may overtake.
type network struct {
	t     testing.TB
	delay func() time.Duration
	still sync.RWMutex // held for reading by whatever runs on a shard: a kill finds all of them between two steps
	steps int          // of the story; guarded by still

	mu   sync.Mutex // guards what follows
	open []*request // re-INVITEs without a final response
	all  []*request
}

// request is one on its way, with its responses.
type request struct {
	core.SendRequest
	from    *end
	life    int // of who sent it
	status  int // the final one
	body    []byte
	timeout *time.Timer
}

// end is one end of a dialog that is up: the pure machine of our dialogs with a runtime that has no sockets. Phones
// stand on one as the box does.
type end struct {
	n     *network
	other *end
	inbox chan func()
	id    string // its tag
	in    bool   // the peer has called
	deaf  bool   // it is gone without a word

	// The rest is the shard's.
	state, saved    core.State
	life            int // how often it was restarted
	queue           []core.Event
	running         bool
	timers          map[core.Timer]*time.Timer
	sink            func(dialog.Event)
	current, theirs *request
	reoffer         *request
}

// dialogOf makes both ends of a dialog that is up: the box's and the phone's.
func (n *network) dialogOf(name string, incoming bool) (box, phone *end) {
	make1 := func(id, peer string, in bool) *end {
		x := &end{n: n, id: id, in: in, inbox: make(chan func(), 4096), timers: map[core.Timer]*time.Timer{}, sink: func(dialog.Event) {}}
		x.state = core.State{ID: id, CallID: name, Incoming: in, Phase: core.Up, CSeq: 1, Invite: core.Invite{CSeq: 1}, Peer: core.Peer{Tag: peer, CSeq: 1}}
		x.saved = x.state
		return x
	}
	box, phone = make1("box of "+name, name, incoming), make1(name, "box of "+name, !incoming)
	box.other, phone.other = phone, box
	for _, x := range []*end{box, phone} {
		go func() {
			for fn := range x.inbox {
				n.still.RLock()
				fn()
				n.still.RUnlock()
			}
		}()
	}
	return box, phone
}

// mark has what a story has looked at stand before whatever the shards do next.
func (n *network) mark() {
	n.still.Lock()
	defer n.still.Unlock()
	n.steps++
}

func (x *end) post(fn func()) { x.inbox <- fn }

func (x *end) command(e core.Event) { x.post(func() { x.feed(e) }) }

func (x *end) feed(e core.Event) {
	x.queue = append(x.queue, e)
	if x.running {
		return
	}
	x.running = true
	for len(x.queue) > 0 {
		e := x.queue[0]
		x.queue = x.queue[1:]
		var effects []core.Effect
		x.state, effects = core.Next(x.state, e, time.Now())
		for _, effect := range effects {
			x.do(effect)
		}
	}
	x.running = false
}

func (x *end) do(effect core.Effect) {
	switch e := effect.(type) {
	case core.Save:
		x.saved = x.state
	case core.Drop:
		x.saved = core.State{}
	case core.SendRequest:
		x.send(e)
	case core.SendAck:
		x.carry(func() { x.other.feed(core.GotAck{CSeq: e.CSeq}) })
	case core.CancelReoffer:
		x.cancel()
	case core.Respond:
		r := x.current
		if e.To == core.Theirs {
			r = x.theirs
		}
		x.respond(r, e.Status, e.SDP)
	case core.Resend:
		x.respond(x.theirs, x.theirs.status, x.theirs.body)
	case core.Arm:
		x.disarm(e.Timer)
		var clock *time.Timer
		clock = time.AfterFunc(e.After, func() {
			x.post(func() {
				if x.timers[e.Timer] == clock {
					delete(x.timers, e.Timer)
					x.feed(core.Fired{Timer: e.Timer})
				}
			})
		})
		x.timers[e.Timer] = clock
	case core.Disarm:
		x.disarm(e.Timer)
	case core.Tell:
		x.sink(e.Notice)
	}
}

func (x *end) disarm(t core.Timer) {
	if clock := x.timers[t]; clock != nil {
		clock.Stop()
		delete(x.timers, t)
	}
}

// carry has fn happen at the other end, when it has come there.
func (x *end) carry(fn func()) { time.AfterFunc(x.n.delay(), func() { x.other.post(fn) }) }

func (x *end) send(e core.SendRequest) {
	r := &request{SendRequest: e, from: x, life: x.life}
	if e.Method == "INVITE" {
		x.reoffer = r
		x.n.mu.Lock()
		x.n.open, x.n.all = append(x.n.open, r), append(x.n.all, r)
		x.n.mu.Unlock()
	}
	r.timeout = time.AfterFunc(core.Life, func() { x.post(func() { x.replied(r, 408, nil, true) }) })
	x.carry(func() { x.other.received(r) })
}

// cancel cancels the re-INVITE that is under way.
func (x *end) cancel() {
	r := x.reoffer
	x.carry(func() {
		if x.other.theirs == r {
			x.other.feed(core.GotCancel{Of: core.Theirs})
		}
	})
}

func (x *end) received(r *request) {
	if x.deaf {
		return
	}
	x.current = r
	x.feed(core.GotRequest{Method: r.Method, CSeq: r.CSeq, Tag: r.from.id, SDP: r.Body, Text: "kept", Dice: rand.Uint32()})
	x.current = nil
	if t := x.state.Exchange; t.Turn == core.TurnTheirs && t.CSeq == r.CSeq && t.Method == r.Method {
		x.theirs = r
	}
}

func (x *end) respond(r *request, status int, body []byte) {
	if status >= 200 {
		r.timeout.Stop()
		r.status, r.body = status, body
		x.n.mu.Lock()
		x.n.open = slices.DeleteFunc(x.n.open, func(o *request) bool { return o == r })
		x.n.mu.Unlock()
	}
	x.carry(func() { r.from.replied(r, status, body, false) })
}

// replied takes a response. What an earlier process has asked nobody waits for; a 2xx is heard all the same.
func (x *end) replied(r *request, status int, body []byte, silent bool) {
	switch {
	case r.life == x.life:
		x.feed(core.GotReply{Sent: r.SendRequest, Status: status, SDP: body, Silent: silent, Dice: rand.Uint32()})
	case r.Method == "INVITE" && status >= 200 && status < 300:
		x.feed(core.GotSuccess{CSeq: r.CSeq, Peer: x.state.Peer, SDP: body})
	}
}

// process is one life of the program.
type process struct{ dead atomic.Bool }

// session is the dialog as one process holds it.
type session struct {
	*end
	of *process
}

func (s session) command(e core.Event) {
	s.post(func() {
		if !s.of.dead.Load() {
			s.feed(e)
		}
	})
}

func (s session) Incoming() bool           { return s.in }
func (s session) Flow() stack.Flow         { return stack.Flow{Transport: "udp"} }
func (s session) ContactPort() uint16      { return 5060 }
func (s session) Reoffer(sdp []byte)       { s.command(core.DoReoffer{SDP: sdp}) }
func (s session) AnswerReoffer(sdp []byte) { s.command(core.DoAnswerReoffer{SDP: sdp}) }
func (s session) RejectReoffer(status int) { s.command(core.DoRejectReoffer{Status: status}) }

// port is what the media engine knows of a leg: it outlives the process.
type port struct {
	mu       *sync.Mutex // of all ports
	id       tel.LegID
	rtp      uint16
	peer     *port
	media    sdp.Media
	ready    bool
	closed   bool
	stranded func()
}

// joined bridges two ports, or with nil parts them, as the engine does.
func (p *port) joined(other *port) {
	p.mu.Lock()
	both := []*port{p, p.peer, other}
	for _, x := range both {
		if x != nil && x.peer != nil {
			x.peer.peer, x.peer = nil, nil
		}
	}
	if other != nil {
		p.peer, other.peer = other, p
	}
	p.mu.Unlock()
	strand(both...)
}

// strand tells of ports in T.38 that reach nobody.
func strand(all ...*port) {
	for _, x := range all {
		if x == nil {
			continue
		}
		x.mu.Lock()
		tell := x.alone()
		x.mu.Unlock()
		if tell {
			x.stranded()
		}
	}
}

func (p *port) alone() bool {
	return !p.closed && p.media.Image && (p.peer == nil || !p.peer.media.Image)
}

// sound is a port as one process holds it.
type sound struct {
	*port
	of *process
}

var errDead = errors.New("the process is dead")

func (s sound) Ports() (rtp, rtcp uint16)    { return s.rtp, s.rtp + 1 }
func (s sound) Advertise() netip.Addr        { return ourAddr }
func (s sound) Readvertise(netip.Addr) error { return nil }

func (s sound) Configure(m sdp.Media) error {
	s.mu.Lock()
	switch {
	case s.of.dead.Load():
		s.mu.Unlock()
		return errDead
	case s.closed:
		s.mu.Unlock()
		return media.ErrClosed
	case m.Image && !s.ready:
		s.mu.Unlock()
		return errors.New("a leg begins with audio")
	case m.Image:
		s.media.Image, s.media.Remote = true, m.Remote
	default:
		s.media, s.ready = m, true
	}
	peer := s.peer
	s.mu.Unlock()
	strand(s.port, peer)
	return nil
}

func (s sound) Stats() media.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return media.Stats{Image: s.media.Image}
}

func (s sound) Partner() tel.LegID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.peer == nil {
		return ""
	}
	return s.peer.id
}

func (s sound) Stranded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.of.dead.Load() && s.alone()
}

func (s sound) Close() {
	s.joined(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
