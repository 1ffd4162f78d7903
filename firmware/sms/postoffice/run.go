package postoffice

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/sms"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (o *Office) run() {
	defer o.tick.Stop()
	for {
		select {
		case f := <-o.mailbox:
			f()
			o.drain()
		case <-o.written:
			o.takeWritten()
		case <-o.tick.C:
		case <-o.quit:
			for len(o.out) > 0 { // what is with the lines comes back soon: their context has ended
				(<-o.mailbox)()
			}
			o.drain()
			o.takeWritten()
			o.flush(nil)
			return
		}
		o.turn()
	}
}

// drain takes all that waits, so that it shares one write to the disk.
func (o *Office) drain() {
	for {
		select {
		case f := <-o.mailbox:
			f()
		default:
			return
		}
	}
}

// parcel is a part and the line that will get it.
type parcel struct {
	sms.Job
	via line.Messages
}

// turn does what is due: whatever leaves, and whatever is acknowledged, is on the disk before.
func (o *Office) turn() {
	now := time.Now()
	before := len(o.box.Untold())
	next := o.box.Turn(now)
	o.dirty = o.dirty || len(o.box.Untold()) != before
	parcels, busy := o.pack(now)
	o.flush(parcels)
	o.wake(next, busy)
}

// wake sets the timer: for the box's own time, for lines that are in a call, and for what failed.
func (o *Office) wake(next time.Time, busy bool) {
	now := time.Now()
	wait := time.Hour
	if !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	if busy {
		wait = min(wait, glance)
	}
	if o.dirty || !o.rerecord.IsZero() {
		wait = min(wait, again)
	}
	o.tick.Reset(max(wait, time.Millisecond))
}

// pack chooses a part for every line that is ready. busy says that a message waits for one that is not.
func (o *Office) pack(now time.Time) (parcels []parcel, busy bool) {
	if o.ctx.Err() != nil || now.Before(o.retry) {
		return nil, false
	}
	for _, l := range o.box.Lines(now) {
		if o.out[l] {
			continue
		}
		via, err := o.cfg.Line(l)
		switch {
		case errors.Is(err, ErrNoLine):
			if j, ok := o.box.Next(l, now); ok {
				o.box.Done(j, -1, line.ErrNoSupport, now)
				o.dirty = true
			}
		case err != nil, !via.Ready():
			busy = true
		default:
			if j, ok := o.box.Next(l, now); ok {
				parcels = append(parcels, parcel{j, via})
				o.dirty = true
			}
		}
	}
	return parcels, busy
}

// flush writes the state, then acknowledges, tells and sends what depends on it.
func (o *Office) flush(parcels []parcel) {
	acks := o.acks
	o.acks = nil
	err := o.save()
	if err != nil {
		for _, p := range parcels {
			o.box.Withdraw(p.ID)
		}
		for _, m := range o.waiting {
			o.box.Cancel(m.ID)
		}
		o.waiting = nil
	}
	for _, ack := range acks {
		ack(err)
	}
	if err != nil {
		return
	}
	for _, m := range o.waiting {
		o.cfg.Publish(tel.SMSWaits{SMS: m})
	}
	o.waiting = nil
	o.announce()
	for _, p := range parcels {
		o.out[p.Line] = true
		o.wg.Go(func() { o.hand(p) })
	}
}

func (o *Office) save() error {
	if !o.dirty {
		return nil
	}
	err := statefile.Save(o.cfg.Path, fileVersion, o.box.State())
	o.cfg.Saved(err)
	if err != nil {
		o.retry = time.Now().Add(again)
		o.cfg.Log.Error("short messages are not on the disk", "err", err)
		return err
	}
	o.dirty, o.retry = false, time.Time{}
	return nil
}

// announce tells of each change, once in the life of this process, and records it.
func (o *Office) announce() {
	if time.Now().Before(o.rerecord) {
		return
	}
	o.rerecord = time.Time{}
	for _, m := range o.box.Untold() {
		key := string(m.ID) + " " + string(m.State)
		under, told := o.offered[key]
		if under {
			continue
		}
		o.offered[key] = true
		e := event(m)
		if !told {
			o.cfg.Publish(e)
		}
		o.cfg.Record(e, func(err error) {
			o.mu.Lock()
			o.results = append(o.results, result{m, key, err})
			o.mu.Unlock()
			select {
			case o.written <- struct{}{}:
			default: // it will look anyway
			}
		})
	}
}

// result is what the history says of one change.
type result struct {
	m   tel.SMS
	key string
	err error
}

func (o *Office) takeWritten() {
	o.mu.Lock()
	all := o.results
	o.results = nil
	o.mu.Unlock()
	for _, r := range all {
		o.recorded(r.m, r.key, r.err)
	}
}

// recorded hears that the history has a change, or that it must be given to it again.
func (o *Office) recorded(m tel.SMS, key string, err error) {
	if err != nil {
		o.offered[key] = false
		o.rerecord = time.Now().Add(again)
		o.cfg.Log.Warn("a message is not in the history yet", "err", err)
		return
	}
	delete(o.offered, key)
	o.box.Told(m)
	o.dirty = true
}

func event(m tel.SMS) tel.Event {
	switch m.State {
	case tel.SMSIn, tel.SMSBroken:
		return tel.SMSReceived{SMS: m}
	case tel.SMSOut:
		return tel.SMSSent{SMS: m}
	case tel.SMSArrived, tel.SMSLost, tel.SMSUnreported:
		return tel.SMSDelivered{SMS: m}
	default:
		return tel.SMSFailed{SMS: m}
	}
}

// hand gives one part to its line and tells the owner what became of it.
func (o *Office) hand(p parcel) {
	ctx, cancel := context.WithTimeout(o.ctx, patience)
	defer cancel()
	reference, err := p.via.SendPart(ctx, p.OutgoingMessage, p.Part)
	o.mailbox <- func() { // the owner waits for it, also at the end
		delete(o.out, p.Line)
		o.box.Done(p.Job, reference, err, time.Now())
		o.dirty = true
	}
}
