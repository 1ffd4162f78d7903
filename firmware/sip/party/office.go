// Package party makes call legs of SIP sessions: it lets callers in by trunk or by password, rings
// phones and carriers, and keeps offer and answer (RFC 3264) out of everybody else's way.
package party

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrNoTrunk is returned for a route through a trunk that does not exist.
var ErrNoTrunk = errors.New("no such trunk")

// ErrTrunkFull is returned when a trunk carries as many calls as its carrier allows.
var ErrTrunkFull = errors.New("the trunk is full")

// Phones is the part of the registrar that calls need; *registrar.Registrar satisfies it.
type Phones interface {
	Authenticate(req *sip.Request, flow stack.Flow) (dev tel.DeviceID, challenge []sip.Header, status int)
	Screen(req *sip.Request, flow stack.Flow) *stack.Refusal
	Flows(dev tel.DeviceID) [][]registrar.Binding
}

// Inviter starts dialogs; *dialog.UA satisfies it.
type Inviter interface {
	Invite(r dialog.InviteRequest) (*dialog.Session, error)
	// Match finds the dialog that a Replaces names (RFC 3891).
	Match(id dialog.ReplacesID) (s *dialog.Session, early, ok bool)
	// Held finds the dialog that the Replaces inside of a Refer-To names.
	Held(id dialog.ReplacesID) (*dialog.Session, bool)
	// Tags names the dialog of a session.
	Tags(id string) (callID, local, remote string)
}

// Config wires the office to its neighbours.
type Config struct {
	Log       *slog.Logger
	Engine    *media.Engine
	Sounds    voice.Sounds
	Language  func() string
	Advertise func(f stack.Flow) netip.Addr                 // the address that SDP names towards the other end of a flow
	Secure    func(party string, f stack.Flow) sdp.Security // how secret the audio shall be; nil: SecurityOff
	Phones    Phones
	Arrive    func(in call.Arrival, makeLeg func(func(call.LegEvent)) call.Leg) (tel.CallID, error)
	// Open reports that a phone at an address may call a number without saying who it is: an emergency
	// call from the LAN. It must not block; nil: never.
	Open func(dialed tel.Number, from netip.Addr) bool
	// Silent is told when a phone has fallen silent (Office.Silent) or is so no longer. It must not block; nil:
	// nobody asks.
	Silent func(dev tel.DeviceID)
	Codecs []codec.ID // in order of preference; nil: PCMA, PCMU, G722
}

// Office makes legs. Use must be called before the first session arrives.
type Office struct {
	cfg    Config
	ua     Inviter
	rounds rounds
	bells  *bells

	mu       sync.RWMutex
	trunks   []*trunk.Trunk
	restored map[string]*survivor // by session label, until Find or Forget
	answered map[*leg]bool        // calls that are up, for Displaced
	later    map[string]string    // by label of a leg whose first session another one replaced: that one's id
}

// survivor is what an earlier process left of one leg.
type survivor struct {
	session *dialog.Session
	ring    *ring
	unheard bool           // a caller to whom nothing was said yet: its events wait in the session
	early   []dialog.Event // what came before somebody asked for it
	sink    func(dialog.Event)
}

// New returns an office that has no user agent yet.
func New(cfg Config) *Office {
	if cfg.Codecs == nil {
		cfg.Codecs = []codec.ID{codec.PCMA, codec.PCMU, codec.G722}
	}
	return &Office{cfg: cfg, bells: newBells(cfg.Silent), restored: map[string]*survivor{}, answered: map[*leg]bool{}, later: map[string]string{}}
}

// Use sets the user agent that sends, which needs the office's Invite to be made.
func (o *Office) Use(ua Inviter) { o.ua = ua }

// SetTrunks replaces the carriers; calls that are up keep theirs.
func (o *Office) SetTrunks(all []*trunk.Trunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trunks = all
}

func (o *Office) trunkOf(req *sip.Request, flow stack.Flow) *trunk.Trunk {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return trunk.Match(o.trunks, req, flow)
}

func (o *Office) trunk(id tel.TrunkID) *trunk.Trunk {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, t := range o.trunks {
		if t.ID() == id {
			return t
		}
	}
	return nil
}

// Invite takes a new call; it is dialog.Config.Invite and runs on the dialog's shard.
func (o *Office) Invite(s *dialog.Session) {
	if t := o.trunkOf(s.Request(), s.Flow()); t != nil {
		o.fromTrunk(t, s)
		return
	}
	open := o.open(s.Request(), s.Flow())
	if open && s.Request().GetHeader("Authorization") == nil {
		o.fromAnybody(s) // no time is lost with a challenge that an unknown phone cannot answer
		return
	}
	device, challenge, status := o.cfg.Phones.Authenticate(s.Request(), s.Flow())
	if status != 0 && open {
		o.fromAnybody(s)
		return
	}
	if status != 0 {
		o.discard(s)
		s.Reject(status, challenge...)
		return
	}
	party := "phone:" + string(device)
	in := call.Arrival{From: party, Device: device, Caller: tel.Number(device), Forwards: forwards(s.Request())}
	var err error
	if in.Dialed, err = dialog.UserNumber(s.Request().Recipient); err != nil {
		o.discard(s)
		s.Reject(404)
		return
	}
	if id, ok := s.Replaces(); ok {
		other, early, ok := o.ua.Match(id)
		if !ok || id.EarlyOnly && !early {
			o.discard(s)
			s.Reject(481)
			return
		}
		in.Replaces, in.EarlyOnly = refPrefix+other.Label(), id.EarlyOnly
	}
	if id, ok := s.Joins(); ok {
		other, early, ok := o.ua.Match(id)
		if !ok || early {
			o.discard(s)
			s.Reject(481)
			return
		}
		in.Join = refPrefix + other.Label()
	}
	o.arrive(s, in, party, nil)
}

func (o *Office) fromTrunk(t *trunk.Trunk, s *dialog.Session) {
	_, replaces := s.Replaces()
	if _, joins := s.Joins(); replaces || joins { // our calls are not a carrier's to take, nor to listen to
		o.discard(s)
		s.Reject(403)
		return
	}
	if !t.Acquire() {
		o.discard(s)
		s.Reject(486)
		return
	}
	caller, name := t.Caller(s.Request())
	party := "trunk:" + string(t.ID())
	in := call.Arrival{From: party, Caller: caller, Name: name, Dialed: t.Called(s.Request()), Forwards: forwards(s.Request()), ForeignCLI: t.Foreign(caller)}
	if _, last, ok := t.Diverted(s.Request()); ok {
		in.Diverted = last.Number
	}
	o.arrive(s, in, party, t)
}

// discard listens to a session that never becomes a leg.
func (o *Office) discard(s *dialog.Session) { s.Bind(func(dialog.Event) {}) }

// arrive makes the caller's leg, or refuses with the status that the offer deserves.
func (o *Office) arrive(s *dialog.Session, in call.Arrival, party string, t *trunk.Trunk) {
	leave, fine := o.rounds.enter(in)
	refuse := func(status int, headers ...sip.Header) {
		o.discard(s)
		s.Reject(status, headers...)
		if t != nil {
			t.Release()
		}
		if fine {
			leave()
		}
	}
	if !fine {
		o.cfg.Log.Warn("a call goes round: a number of ours leads to one that leads to it", "party", party, "dialed", in.Dialed)
		refuse(482)
		return
	}
	l := &leg{o: o, label: s.Label(), carried: carried{trunk: t, leave: leave}}
	l.current.Store(s)
	if t != nil {
		l.release = t.Release
	}
	ours := o.cfg.Advertise(s.Flow())
	if body := s.RemoteOffer(); body != nil {
		offer, err := sdp.Parse(body)
		if err == nil {
			// A trial answer before any port is taken: an offer without audio costs nothing.
			_, _, err = sdp.Answer(offer, o.secure(o.local(t, ours, 9, 10), party, s.Flow()))
		}
		if err != nil {
			o.cfg.Log.Info("offer refused", "party", party, "err", err)
			refuse(rejection(err))
			return
		}
		l.offer = offer
	}
	sink := make(chan func(call.LegEvent), 1)
	l.events = lateSink(sink)
	half, err := voice.Open(o.voice(l, party, l.events), media.LegConfig{Advertise: ours, Source: s.Flow().Remote.Addr(), DSCP: l.carried.dscp()})
	if err != nil {
		o.cfg.Log.Error("no audio for a caller", "party", party, "err", err)
		refuse(503, sip.NewHeader("Retry-After", "5"))
		return
	}
	l.wire(half)
	rtp, rtcp := half.Media().Ports()
	l.local = o.secure(o.local(t, half.Media().Advertise(), rtp, rtcp), party, s.Flow())
	_, err = o.cfg.Arrive(in, func(events func(call.LegEvent)) call.Leg {
		sink <- events
		return l
	})
	if err != nil {
		half.Media().Close()
		refuse(503, sip.NewHeader("Retry-After", "10"))
		return
	}
	if t != nil {
		s.Authorize(t.Auth())
	}
	s.Bind(l.notice)
}

// lateSink is a sink whose receiver becomes known through ch before the first event can come.
func lateSink(ch chan func(call.LegEvent)) func(call.LegEvent) {
	get := sync.OnceValue(func() func(call.LegEvent) { return <-ch })
	return func(e call.LegEvent) { get()(e) }
}

func (o *Office) local(t *trunk.Trunk, addr netip.Addr, rtp, rtcp uint16) sdp.Local {
	codecs, reserve := o.codecs(t)
	return sdp.Local{
		Addr: addr, RTP: rtp, RTCP: rtcp, RTCPMux: true, Codecs: codecs, Reserve: reserve, DTMF: true, Ptime: 20,
		Direction: sdp.SendRecv, SessionID: uint64(time.Now().UnixMilli()), Version: 1,
	}
}

// codecs are the formats towards a carrier, or a phone: all phones are offered Opus too, behind the others, while
// the board has room for one more; carriers only where their configuration says so. Without room who has nothing
// else is still heard.
func (o *Office) codecs(t *trunk.Trunk) (codecs, reserve []codec.ID) {
	codecs = o.cfg.Codecs
	if t != nil && len(t.Media().Codecs) > 0 {
		codecs = t.Media().Codecs
	} else if t == nil && !slices.Contains(codecs, codec.Opus) {
		codecs = append(slices.Clip(codecs), codec.Opus)
	}
	speaks := o.cfg.Engine.SpeaksOpus()
	if speaks && o.cfg.Engine.OpusRoom() || !slices.Contains(codecs, codec.Opus) {
		return codecs, nil
	}
	others := slices.DeleteFunc(slices.Clone(codecs), func(id codec.ID) bool { return id == codec.Opus })
	switch {
	case !speaks:
		return others, nil
	case len(others) == 0: // a carrier of nothing else
		return codecs, nil
	}
	return others, []codec.ID{codec.Opus}
}

func (o *Office) voice(l *leg, party string, events func(call.LegEvent)) voice.Config {
	return voice.Config{
		Log: o.cfg.Log, Engine: o.cfg.Engine, Sounds: o.cfg.Sounds, Language: o.cfg.Language, Party: party, Events: events, Stranded: l.stranded,
	}
}

// DialDevice implements part of call.Dialer: every reachable phone of the device rings, each on the
// first of its flows that takes the call (RFC 5626 section 7). A phone at which an offer may still ring is left out
// of the next one.
func (o *Office) DialDevice(dev tel.DeviceID, out call.Outgoing, events func(call.LegEvent)) ([]call.Leg, error) {
	var legs []call.Leg
	var errs []error
	for _, flows := range o.cfg.Phones.Flows(dev) {
		if out.Offered && o.rings(dev, flows) {
			o.cfg.Log.Info("a phone that has not answered yet is left out", "device", dev)
			continue
		}
		for _, b := range flows {
			if !b.Reachable {
				continue
			}
			l, err := o.dialBinding(dev, b, out, events)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			legs = append(legs, l)
			break
		}
	}
	return legs, errors.Join(errs...)
}

// answerAtOnce asks a phone to answer by itself, in the words that makers understand: Call-Info with
// answer-after (Snom, Grandstream, Fanvil), Alert-Info (Yealink, Polycom, Cisco).
func answerAtOnce(host string) []sip.Header {
	return []sip.Header{
		sip.NewHeader("Call-Info", "<sip:"+host+">;answer-after=0"),
		sip.NewHeader("Alert-Info", "<http://"+host+">;info=alert-autoanswer;delay=0"),
	}
}

func (o *Office) dialBinding(dev tel.DeviceID, b registrar.Binding, out call.Outgoing, events func(call.LegEvent)) (call.Leg, error) {
	host := b.Flow.Local.Addr().String()
	req := dialog.InviteRequest{
		From:   dialog.Address{Display: out.FromName, URI: sip.Uri{Scheme: "sip", User: string(out.From), Host: host}},
		To:     dialog.Address{URI: sip.Uri{Scheme: "sip", User: string(dev), Host: host}},
		Target: b.Contact, Route: b.Path, Flow: b.Flow, Ring: out.Ring, MaxForwards: out.Forwards,
	}
	if out.From == "" {
		req.From = dialog.Address{Display: "Anonymous", URI: sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	}
	if out.Intercom {
		req.Headers = append(req.Headers, answerAtOnce(host)...)
	}
	var r *ring
	if out.Offered {
		r = o.bells.begin(bellOf(dev, b))
	}
	l, err := o.dial("phone:"+string(dev), req, events, nil, r)
	if err != nil {
		r.end()
	}
	return l, err
}

// DialTrunk calls a number through a carrier.
func (o *Office) DialTrunk(id tel.TrunkID, to tel.Number, out call.Outgoing, events func(call.LegEvent)) (call.Leg, error) {
	t := o.trunk(id)
	if t == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoTrunk, id)
	}
	if out.Emergency {
		t.Occupy() // an emergency call is never refused for a limit of ours
	} else if !t.Acquire() {
		return nil, fmt.Errorf("%w: %s", ErrTrunkFull, id)
	}
	req, err := t.Invite(outgoing(to, out))
	if err != nil {
		t.Release()
		return nil, err
	}
	req.Ring = out.Ring
	l, err := o.dial("trunk:"+string(id), req, events, t, nil)
	if err != nil {
		t.Release()
		return nil, err
	}
	return l, nil
}

func (o *Office) dial(party string, req dialog.InviteRequest, events func(call.LegEvent), t *trunk.Trunk, r *ring) (call.Leg, error) {
	l := &leg{o: o, events: events, carried: carried{trunk: t}, ring: r}
	if t != nil {
		l.release = t.Release
	}
	half, err := voice.Open(o.voice(l, party, events), media.LegConfig{Advertise: o.cfg.Advertise(req.Flow), Source: req.Flow.Remote.Addr(), DSCP: l.carried.dscp()})
	if err != nil {
		return nil, err
	}
	l.wire(half)
	rtp, rtcp := half.Media().Ports()
	l.local = o.secure(o.local(t, half.Media().Advertise(), rtp, rtcp), party, req.Flow)
	req.SDP = sdp.Offer(l.local)
	l.local.Last = req.SDP
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ask(req); err != nil {
		half.Media().Close()
		return nil, fmt.Errorf("call %s: %w", party, err)
	}
	l.label = l.session().Label()
	return l, nil
}

// Restore keeps what an earlier process left until the calls ask for it. Events that come before
// that are kept in order. Of what it has cancelled (ending) no call knows; phones may still ring for it.
func (o *Office) Restore(sessions, ending []*dialog.Session) {
	for _, s := range ending {
		o.restoreBell(s, false)
	}
	for _, s := range sessions {
		v := &survivor{session: s, unheard: unheard(s)}
		if s.Restored().Phase < core.Offered { // calling or ringing
			v.ring = o.restoreBell(s, true)
		}
		o.mu.Lock()
		o.survived(v)
		o.mu.Unlock()
		if v.unheard {
			continue
		}
		s.Bind(func(e dialog.Event) {
			o.mu.Lock()
			sink := v.sink
			if sink == nil {
				v.early = append(v.early, e)
			}
			o.mu.Unlock()
			if sink != nil {
				sink(e)
			}
		})
	}
}

// Find implements part of call.Finder for legs of this package.
func (o *Office) Find(ref, party string, audio *media.Leg, events func(call.LegEvent)) (call.Leg, bool) {
	id, ok := strings.CutPrefix(ref, refPrefix)
	if !ok || audio == nil {
		return nil, false
	}
	o.mu.Lock()
	v := o.restored[id]
	delete(o.restored, id)
	o.mu.Unlock()
	if v == nil || !v.session.Restored().Live {
		return nil, false
	}
	l := &leg{o: o, label: id, events: events, ring: v.ring}
	l.current.Store(v.session)
	l.move.from = time.Now().Add(calm)
	o.moved(l)
	half, err := voice.Adopt(o.voice(l, party, events), audio)
	if err != nil {
		o.cfg.Log.Warn("audio of a recovered call is gone", "party", party, "err", err)
		v.session.Hangup(tel.CauseMediaTimeout)
		return nil, false
	}
	l.wire(half)
	if kind, name, _ := strings.Cut(party, ":"); kind == "trunk" {
		if t := o.trunk(tel.TrunkID(name)); t != nil {
			t.Occupy()
			l.release, l.carried.trunk = t.Release, t
			v.session.Authorize(t.Auth())
		}
	}
	o.recall(l, v.session.Restored())
	l.resumeFax(v.session.Restored().RemoteSDP)
	if v.session.Restored().Phase > core.Offered { // it was answered before
		l.connected()
	}
	if l.agreed { // the process may have died between the answer to a hold and the call's note of it
		l.tell(call.LegEvent{Kind: call.LegHeld, Held: l.held()})
	}
	o.mu.Lock()
	v.sink = l.notice
	early := v.early
	v.early = nil
	o.mu.Unlock()
	for _, e := range early {
		l.notice(e)
	}
	if v.unheard {
		v.session.Bind(l.notice)
	}
	return l, true
}

// recall rebuilds the state of offer and answer from the bodies that the journal kept.
func (o *Office) recall(l *leg, r dialog.Restored) {
	rtp, rtcp := l.audio.Ports()
	l.local = o.secure(o.local(l.carried.trunk, l.audio.Advertise(), rtp, rtcp), l.Party(), l.talk().Flow())
	l.local.Codecs, l.local.Reserve = append(slices.Clip(l.local.Codecs), l.local.Reserve...), nil // what was agreed holds
	l.local.Version, l.local.Last = r.SDPVersion, r.LocalSDP
	l.recallFax(r.LocalSDP)
	theirs, err := sdp.Parse(r.RemoteSDP)
	if err != nil {
		return
	}
	if l.talk().Incoming() {
		l.offer = theirs
		if _, m, err := sdp.Answer(theirs, l.local); err == nil && r.LocalSDP != nil {
			l.media, l.agreed = m, true
		}
	} else if m, err := sdp.Accept(l.local, theirs); err == nil {
		l.media, l.agreed = m, true
	}
}

// unheard is a caller whose INVITE was on record when the process died, and who was told nothing that binds us: no answer
// to the offer, no early audio.
func unheard(s *dialog.Session) bool {
	r := s.Restored()
	return s.Incoming() && s.Request() != nil && r.Phase == core.Offered && r.LocalSDP == nil
}

// Forget ends the restored sessions that no call asked for. A caller who was not heard has come in the moment in which
// the process died, before there was a call of it, and arrives now; 100 may have stopped its INVITE from coming again.
func (o *Office) Forget(context.Context) int {
	o.mu.Lock()
	left := o.restored
	o.restored = map[string]*survivor{}
	o.mu.Unlock()
	ended := 0
	for _, v := range left {
		if v.unheard {
			o.Invite(v.session)
			continue
		}
		ended++
		v.session.Hangup(tel.CauseNormal)
	}
	return ended
}
