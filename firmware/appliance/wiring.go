package appliance

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// publish hands an event to everybody who watches: the journal first, so that a finished record is
// on its way to the disk before anybody is told.
func (b *Box) publish(e tel.Event) {
	if recorded(e) {
		b.record(e)
	}
	b.tell(e)
}

// tell is publish for what its owner has recorded itself.
func (b *Box) tell(e tel.Event) {
	if b.ledger != nil { // the first events of a start are of nobody who was missed
		b.ledger.Tell(e)
	}
	figures, changed := b.present.apply(e)
	b.lamps.tell(e) // directly: a lamp waits for no observer
	b.feed.Publish(e)
	if changed {
		b.feed.Publish(figures)
	}
	b.showPresence(e)
	b.alarming(e)
	b.offered.note(e)
	b.contacts.note(e)
	switch e := e.(type) {
	case tel.AgentChanged:
		b.undisturb(e)
	case tel.AgentInterval:
		b.spent(e)
	case tel.QueueStaffed:
		b.staffed(e)
	case tel.PartyChanged:
		b.callers.note(e)
		b.traceParty(e)
		b.rtpTrace.party(e)
	case tel.SeatChanged:
		b.reach.start(b)
	case tel.PersonalChanged:
		b.disturb(e)
	case tel.EmergencyCalled:
		b.emergency(e)
	case tel.DoorOpened:
		b.doorOpened(e)
	case tel.TollAlarm:
		b.report("toll_limit", false, "calls to the outside were refused: "+e.Why+" of "+e.Of)
	case tel.CallEnded:
		b.listened(e)
	case tel.LampChanged:
		b.judgeLamps()
	}
}

// judgeLamps tells the page which lamps do not answer.
func (b *Box) judgeLamps() {
	dark := b.present.darkLamps()
	b.report("lamps", len(dark) == 0, strings.Join(dark, ", "))
}

// recorded says that an event is a finished record. A callback is one at its end.
func recorded(e tel.Event) bool {
	if c, ok := e.(tel.CallbackChanged); ok && c.State != tel.CallbackEnded {
		return false
	}
	return cdr.Finished(e.Kind())
}

// record writes a finished record; the call never waits for the disk.
func (b *Box) record(e tel.Event) {
	kind, body, err := cdr.Encode(e)
	var pos journal.Pos
	var waits bool
	if err == nil {
		pos, waits, err = b.owed.write(kind, body)
	}
	switch {
	case waits: // it is accounted for when it is written
		b.log.Warn("finished record waits for room on the disk", "record", kind)
		return
	case err != nil:
		b.log.Error("finished record cannot be written", "record", kind, "err", err)
	}
	b.account(e, pos, err)
	b.report("journal", err == nil, "a finished record could not be written")
}

// openOwed takes up the finished records for which an earlier process found no room.
func (b *Box) openOwed() {
	b.owed = &owed{
		hot: b.hot, history: b.history,
		written: func(e tel.Event, pos journal.Pos) { b.account(e, pos, nil) },
		told: func(waiting int) {
			if waiting == 0 {
				b.log.Info("the finished records that waited are written")
			}
			b.report("journal", waiting == 0, fmt.Sprintf("%d finished records wait for room on the disk", waiting))
		},
		synced: func(err error) {
			if err != nil {
				b.log.Error("finished record is not on the disk yet", "err", err)
			}
		},
	}
	for _, err := range b.owed.take(b.hot.Load(owedKind)) {
		if err != nil {
			b.log.Warn("part of the earlier process is lost", "err", err)
		}
	}
}

func (b *Box) report(condition string, ok bool, text string) {
	if err := b.health.Report(condition, ok, text, time.Now()); err != nil {
		b.log.Error("health does not know a condition", "condition", condition, "err", err)
	}
}

// other answers requests outside of dialogs that are not calls.
func (b *Box) other(tx *stack.ServerTx) bool {
	switch tx.Request().Method {
	case "REGISTER":
		b.registrar.Register(tx)
		return true
	case "OPTIONS":
		if !b.forbidden(tx) {
			tx.Capabilities()
		}
		return true
	default:
		return b.forbidden(tx) || b.presence.Request(tx)
	}
}

func (b *Box) registrarConfig() registrar.Config {
	now, limits := b.numbering.Load, b.config().SIP.Registrations
	return registrar.Config{
		Log: b.log.With("room", "registrar"), Realm: b.config().SIP.Realm, Journal: b.hot, Stack: b.stack,
		NeedMD5:  func() bool { return now().md5 },
		Accounts: b.sipAccount,
		LAN:      func(a netip.Addr) bool { return now().lan(a) },
		Changed: func(d tel.DeviceChanged) {
			b.publish(d)
			b.reach.changed(b, d.Device)
		},
		Failed: b.failedLogins(), Bans: b.bans,
		Nonce:      b.hot.Load(registrar.KindNonce)[registrar.NonceName],
		MinExpires: limits.MinExpires, MaxExpires: limits.MaxExpires, RegisterRate: limits.PerSecond,
	}
}

// reach follows which agents have a phone that can ring.
type reach struct {
	mu  sync.Mutex // guards was; serialises telling so that the last word is the true one
	was map[tel.AgentID]tel.AgentReachable
}

// start tells the queues about every agent, at the start and when who has which phone has changed.
func (r *reach) start(b *Box) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.queues == nil {
		return // a seat was taken before there were queues; they ask at the start
	}
	r.was = map[tel.AgentID]tel.AgentReachable{}
	n := b.numbering.Load()
	for id := range n.agents {
		r.was[id] = reached(b, id, n.Devices(id))
		b.queues.Tell(r.was[id])
	}
}

// changed tells the queues when an agent's last phone that answers went or the first one came.
func (r *reach) changed(b *Box, d tel.DeviceID) {
	n := b.numbering.Load()
	agent, _, _ := n.AgentAt(d)
	if agent == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if is := reached(b, agent, n.Devices(agent)); r.was != nil && r.was[agent] != is {
		r.was[agent] = is
		b.queues.Tell(is)
	}
}

// reached says whether an agent has a phone that can ring for the queues, and otherwise why not.
func reached(b *Box, agent tel.AgentID, phones []tel.DeviceID) tel.AgentReachable {
	is := tel.AgentReachable{Agent: agent}
	for _, d := range phones {
		if b.browsers.phones.Reachable(d) {
			return tel.AgentReachable{Agent: agent, Reachable: true}
		}
		for _, at := range b.registrar.Bindings(d) {
			switch {
			case !at.Reachable:
			case b.office.Silent(d, at):
				is.Silent = true
			default:
				return tel.AgentReachable{Agent: agent, Reachable: true}
			}
		}
	}
	return is
}

func reachable(b *Box, phones []tel.DeviceID) bool {
	for _, d := range phones {
		if b.browsers.phones.Reachable(d) {
			return true
		}
		for _, at := range b.registrar.Bindings(d) {
			if at.Reachable {
				return true
			}
		}
	}
	return false
}

// historian is the history journal as the queues see it.
type historian struct{ h *journal.History }

// Append implements acd.History.
func (h historian) Append(kind string, body []byte) error {
	_, err := h.h.Append(kind, body)
	return err
}
