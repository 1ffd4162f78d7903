package party

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	// passLimit is how long a machine that asks for T.38 waits for the other end of its call: longer than the longest
	// wait after a collision (RFC 3261 section 14.1), and less than core.AnswerWithin.
	passLimit = 8 * time.Second
	// joinLimit is how long a machine that asks before its call has been joined to another one waits for that: the
	// 200 leaves before the audio is joined, and who is refused T.38 once does not ask again.
	joinLimit = time.Second
	// strandedFor is how long a leg may be alone in T.38 before it gets its audio back: who hangs up or changes to
	// audio mostly does so at both ends in one moment.
	strandedFor = 200 * time.Millisecond
	// soundRetry is after how long audio is offered again to who was busy, soundTries how often.
	soundRetry = time.Second
	soundTries = 40
)

// passage is an offer of T.38 on its way from one leg to whom it talks with.
type passage struct {
	asker *leg
	offer *sdp.Session
	image sdp.Image   // of the offer
	clock *time.Timer // joinLimit, then passLimit
	gone  bool        // it has been offered on; guarded by the asker's mu
}

// fax is what a leg knows of T.38 (ITU-T T.38 annex D). It is guarded by the leg's mu; that it is in T.38 now
// is said by local.Image.
type fax struct {
	asks   *passage  // their offer, which waits for the partner
	asked  *passage  // the partner's, which we have offered to them
	sound  bool      // we have offered audio again
	to     sdp.Local // our side, if they agree to either
	tries  int       // of sound, without success
	mute   bool      // nothing is agreed: they have taken our offer of T.38 without a stream, or we do not know
	theirs sdp.Image // what their machine has
	before *agreement
}

// agreement is what was in force before an answer that may have come too late.
type agreement struct {
	local sdp.Local
	media sdp.Media
}

// busy reports whether a re-INVITE of ours is under way. It is called with mu held.
func (l *leg) busy() bool {
	return !l.move.begun.IsZero() && time.Since(l.move.begun) <= moveLimit || l.fax.asked != nil || l.fax.sound
}

// talksWith finds the leg with which another one alone is bridged, when both are SIP and up.
func (o *Office) talksWith(l *leg) *leg {
	partner := l.audio.Partner()
	o.mu.RLock()
	defer o.mu.RUnlock()
	if partner == "" || !o.answered[l] {
		return nil
	}
	for other := range o.answered {
		if other.ID() == partner {
			return other
		}
	}
	return nil
}

// passes takes an offer of T.38 in the place of audio, and answers it or will. It reports false for every
// other offer, a repeated one of T.38 included.
func (l *leg) passes(body []byte) bool {
	offer, err := sdp.Parse(body)
	if err != nil {
		return false
	}
	im, ok := offer.Image()
	l.mu.Lock()
	already := l.local.Image != nil
	l.mu.Unlock()
	if !ok || already {
		return false
	}
	if !l.pass(offer, im) {
		const status = 488
		l.o.cfg.Log.Info("T.38 is refused; the call goes on in audio", "party", l.Party(), "status", status)
		l.talk().RejectReoffer(status)
	}
	return true
}

// pass offers T.38 on to the partner, as soon as there is one; false where that cannot be.
func (l *leg) pass(offer *sdp.Session, im sdp.Image) bool {
	p := &passage{asker: l, offer: offer, image: im}
	l.mu.Lock()
	if l.ended || l.media.SendKey.Suite != sdp.NoSuite {
		l.mu.Unlock()
		return false
	}
	p.clock = time.AfterFunc(joinLimit, func() { p.refuse(488) })
	l.fax.asks = p
	l.mu.Unlock()
	l.passOn()
	return true
}

// passOn offers what waits for a partner to that, if there is one now.
func (l *leg) passOn() {
	partner := l.o.talksWith(l)
	l.mu.Lock()
	p := l.fax.asks
	if partner == nil || p == nil || p.gone {
		l.mu.Unlock()
		return
	}
	p.gone = true
	p.clock.Reset(passLimit)
	l.mu.Unlock()
	theirs, status := partner.carry(p, p.image)
	switch {
	case status != 0:
		p.refuse(status)
	case theirs != nil:
		p.take(*theirs)
	default:
		l.o.cfg.Log.Info("a machine asks for T.38", "party", l.Party(), "of", partner.Party())
	}
}

// Join implements call.Leg.
func (l *leg) Join(other call.Leg) error {
	err := l.Half.Join(other)
	l.passOn()
	if o, ok := other.(*leg); ok {
		o.passOn()
	}
	return err
}

// carry offers T.38 to the other end; theirs is its side where it is in T.38 already, as after a restart between the
// two answers.
func (l *leg) carry(p *passage, im sdp.Image) (theirs *sdp.Image, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended, l.media.SendKey.Suite != sdp.NoSuite: // what was secret does not go on in the clear
		return nil, 488
	case l.fax.asks != nil, l.busy():
		return nil, 491
	case l.local.Image != nil:
		theirs := l.fax.theirs
		return &theirs, 0
	}
	to := l.local
	to.Image = &im
	to.Last = sdp.Offer(to)
	l.fax.asked, l.fax.to = p, to
	l.talk().Reoffer(to.Last)
	return nil, 0
}

// give takes the passage out of its asker's hands; false when that waits for it no more.
func (p *passage) give() bool {
	l := p.asker
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fax.asks != p {
		return false
	}
	l.fax.asks = nil
	p.clock.Stop()
	return true
}

// refuse tells the asker that its call goes on in audio.
func (p *passage) refuse(status int) {
	if status != 491 {
		status = 488
	}
	if p.give() {
		p.asker.o.cfg.Log.Info("T.38 is refused at the other end; the call goes on in audio", "party", p.asker.Party(), "status", status)
		p.asker.talk().RejectReoffer(status)
	}
}

// take tells the asker that it may begin, with what the other machine has; false when it waits no more.
func (p *passage) take(im sdp.Image) bool {
	l := p.asker
	if !p.give() {
		return false
	}
	out, err := l.becomeImage(p.offer, im)
	if err != nil {
		l.o.cfg.Log.Warn("T.38 cannot be answered", "party", l.Party(), "err", err)
		l.talk().RejectReoffer(488)
		return false
	}
	l.talk().AnswerReoffer(out)
	l.tell(call.LegEvent{Kind: call.LegMachine, Machine: tel.MachineFax})
	return true
}

// becomeImage agrees to their offer of T.38.
func (l *leg) becomeImage(offer *sdp.Session, im sdp.Image) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := &agreement{l.local, l.media}
	l.local.Version++
	l.settle()
	l.local.Image = &im
	out, m, err := sdp.Answer(offer, l.local)
	if err == nil {
		err = l.agree(m)
	}
	if err != nil {
		l.local, l.media = before.local, before.media
		return nil, err
	}
	l.local.Last = out
	l.fax.before = before
	l.fax.theirs, _ = offer.Image()
	return out, nil
}

// tooLate undoes an answer that the dialog did not take any more: they had cancelled their offer.
func (l *leg) tooLate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.fax.before
	if before == nil || l.ended {
		return
	}
	l.fax.before = nil
	l.local = before.local
	if err := l.agree(before.media); err != nil {
		l.o.cfg.Log.Warn("no way back to audio", "party", l.Party(), "err", err)
	}
}

// faxed takes the end of our re-INVITE if it was about T.38.
func (l *leg) faxed(e dialog.ReofferDone) bool {
	l.mu.Lock()
	p, sound, to := l.fax.asked, l.fax.sound, l.fax.to
	l.fax.asked, l.fax.sound, l.fax.to = nil, false, sdp.Local{}
	// The process before this one may have offered something of which we do not know whether they took it.
	unknown := p == nil && !sound && l.move.begun.IsZero() && !l.move.from.IsZero() && l.local.Image == nil
	l.fax.mute = l.fax.mute || unknown
	l.mu.Unlock()
	switch {
	case p != nil:
		l.carriedOver(p, to, e)
	case sound:
		l.sounds(to, e)
	case unknown:
		time.AfterFunc(soundRetry, l.soundAgain)
	default:
		return false
	}
	return true
}

// carriedOver is what the partner says to T.38.
func (l *leg) carriedOver(p *passage, to sdp.Local, e dialog.ReofferDone) {
	if e.Status != 200 {
		p.refuse(e.Status)
		return
	}
	im, err := l.agreeImage(to, e.SDP)
	switch {
	case err != nil:
		l.o.cfg.Log.Info("T.38 was answered without a stream", "party", l.Party(), "err", err)
		p.refuse(488)
		l.soundAgain()
	case p.take(im):
		l.o.cfg.Log.Info("two machines speak T.38", "party", l.Party(), "with", p.asker.Party())
		l.tell(call.LegEvent{Kind: call.LegMachine, Machine: tel.MachineFax})
	default: // too late: Stranded comes
	}
}

// agreeImage takes their answer to our offer of T.38 into use.
func (l *leg) agreeImage(to sdp.Local, body []byte) (im sdp.Image, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var m sdp.Media
	answer, err := sdp.Parse(body)
	if err == nil {
		m, err = sdp.Accept(to, answer)
	}
	l.local = to
	if err == nil {
		err = l.agree(m)
	}
	if err != nil {
		l.local.Image, l.fax.mute = nil, true
		return im, err
	}
	im, _ = answer.Image()
	l.fax.theirs = im
	return im, nil
}

// stranded is told by the loop of the leg's audio, and must not wait.
func (l *leg) stranded() { time.AfterFunc(strandedFor, l.rejoin) }

// rejoin gives a leg its audio back whose partner is not in T.38, or who has none.
func (l *leg) rejoin() {
	if l.audio.Stranded() {
		l.soundAgain()
	}
}

// soundAgain offers audio to who is in T.38 alone, or has nothing at all.
func (l *leg) soundAgain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended || l.local.Image == nil && !l.fax.mute:
	case l.busy():
		time.AfterFunc(soundRetry, l.soundAgain)
	default:
		to := l.local
		to.Image = nil
		to.Last = sdp.Offer(to)
		l.fax.sound, l.fax.to = true, to
		l.talk().Reoffer(to.Last)
	}
}

// sounds takes their answer to our offer of audio.
func (l *leg) sounds(to sdp.Local, e dialog.ReofferDone) {
	l.mu.Lock()
	l.fax.tries++
	again := l.fax.tries < soundTries
	if e.Status == 200 {
		l.local, l.fax.mute, l.fax.tries = to, false, 0
	}
	l.mu.Unlock()
	switch e.Status {
	case 200:
	case 491, 500, 503: // it is about to say something itself, or has not yet answered the last process
		if again {
			time.AfterFunc(soundRetry, l.soundAgain)
			return
		}
		fallthrough
	default:
		l.o.cfg.Log.Warn("audio after T.38 was refused: nothing is heard", "party", l.Party(), "status", e.Status)
		return
	}
	if err := l.answered(e.SDP); err != nil {
		l.o.cfg.Log.Warn("the answer to audio after T.38 cannot be used: nothing is heard", "party", l.Party(), "err", err)
		return
	}
	l.tell(call.LegEvent{Kind: call.LegHeld, Held: l.held()})
}

// endFax ends what waits for the leg, or what it waits for.
func (l *leg) endFax() {
	l.mu.Lock()
	asks, asked := l.fax.asks, l.fax.asked
	l.fax.asked = nil
	l.mu.Unlock()
	if asks != nil {
		asks.give()
	}
	if asked != nil {
		asked.refuse(488)
	}
}

// recallFax finds out after a restart whether the leg is in T.38, before its media are read.
func (l *leg) recallFax(ours []byte) {
	if body, err := sdp.Parse(ours); err == nil {
		if im, ok := body.Image(); ok {
			l.local.Image = &im
		}
	}
}

// resumeFax brings the audio of a restored leg to what its dialog says: the process may have died between the two.
func (l *leg) resumeFax(theirs []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if body, err := sdp.Parse(theirs); err == nil {
		l.fax.theirs, _ = body.Image()
	}
	if l.local.Image != nil && !l.agreed {
		l.local.Image, l.fax.mute = nil, true
		time.AfterFunc(soundRetry, l.soundAgain)
	}
	if l.agreed && l.media.Image != l.audio.Stats().Image {
		if err := l.audio.Configure(l.media); err != nil {
			l.o.cfg.Log.Warn("T.38 of a recovered call is not as its dialog says", "party", l.Party(), "err", err)
		}
	}
	if l.local.Image != nil {
		time.AfterFunc(calm, l.rejoin) // what the audio told in between nobody has heard
	}
}
