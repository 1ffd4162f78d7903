package appliance

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// trunks are the carriers of the configuration in force. Only Build and Run, then the owner of the
// configuration, then close use it.
type trunks struct {
	b    *Box
	open []carrier
}

// carrier is a trunk and what it was made of.
type carrier struct {
	cfg   config.Trunk // without In, which is the numbering's business
	trunk *trunk.Trunk
}

func (b *Box) openTrunks() error {
	kept := b.hot.Load(trunk.KindTrunk)
	for _, c := range b.config().Trunks {
		t, err := b.trunks.make(c)
		if err != nil {
			return err
		}
		if err := t.trunk.Restore(kept); err != nil {
			b.log.Warn("trunk starts afresh", "trunk", c.ID, "err", err)
		}
		b.trunks.open = append(b.trunks.open, t)
	}
	b.office.SetTrunks(b.trunks.all())
	return nil
}

func (t *trunks) make(c config.Trunk) (carrier, error) {
	c.In = nil
	made, err := trunk.New(trunkConfig(c), trunk.Deps{
		Log: t.b.log.With("room", "trunk"), Stack: t.b.stack, Journal: t.b.hot, Changed: t.b.lineChanged,
	})
	if err != nil {
		return carrier{}, fmt.Errorf("trunk %q: %w", c.ID, err)
	}
	return carrier{c, made}, nil
}

func (t *trunks) all() []*trunk.Trunk {
	all := make([]*trunk.Trunk, len(t.open))
	for i, c := range t.open {
		all[i] = c.trunk
	}
	return all
}

// find returns the carrier of an id; its trunk is nil when there is none.
func (t *trunks) find(id tel.TrunkID) carrier {
	for _, c := range t.open {
		if c.cfg.ID == id {
			return c
		}
	}
	return carrier{}
}

func (t *trunks) start() {
	for _, c := range t.open {
		c.trunk.Start()
	}
}

func (t *trunks) close() {
	for _, c := range t.open {
		c.trunk.Close()
	}
}

// verify finds out what the trunk's own check says of a configuration.
func (t *trunks) verify(all []config.Trunk) error {
	var errs []error
	for _, c := range all {
		made, err := t.make(c)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		made.trunk.Close()
	}
	return errors.Join(errs...)
}

// replace keeps the trunks that are the same, and closes the others. A call that is up keeps the
// trunk that it came with; its place does not count for the new one's limit.
func (t *trunks) replace(all []config.Trunk) (live.Outcome, error) {
	var next []carrier
	outcome := live.Unchanged
	for _, c := range all {
		have := t.find(c.ID)
		c.In = nil
		if have.trunk == nil || !reflect.DeepEqual(have.cfg, c) {
			made, err := t.make(c)
			if err != nil {
				for _, n := range next { // Close is harmless to those that were never started
					if t.find(n.cfg.ID).trunk != n.trunk {
						n.trunk.Close()
					}
				}
				return 0, err
			}
			have, outcome = made, live.Applied
		}
		next = append(next, have)
	}
	was := *t
	t.open = next
	t.b.office.SetTrunks(t.all())
	for _, old := range was.open {
		now := t.find(old.cfg.ID)
		if now.trunk == old.trunk {
			continue
		}
		outcome = max(outcome, live.Applied)
		if old.trunk.Status().Calls > 0 {
			outcome = live.AfterDrain
		}
		old.trunk.Close()
		switch {
		case now.trunk == nil:
			t.forget(old.cfg.ID)
		case old.cfg.Server == now.cfg.Server && old.cfg.User == now.cfg.User:
			now.trunk.Succeed(old.trunk)
		}
	}
	t.start()
	return outcome, nil
}

// forget removes what is kept of a trunk that is no longer configured.
func (t *trunks) forget(id tel.TrunkID) {
	if err := t.b.hot.Delete(trunk.KindTrunk, string(id)); err != nil {
		t.b.log.Warn("registration of a removed trunk stays", "trunk", id, "err", err)
	}
	t.b.forgetLine("trunk:" + string(id))
}

func trunkConfig(c config.Trunk) trunk.Config {
	t := trunk.Config{
		ID: c.ID, Name: c.Name, Mode: trunk.Address, Domain: hostOf(c.Server), Server: c.Server, Transport: c.Transport,
		User: c.User, Credentials: digest.Credentials{Username: c.User, Password: digest.NewSecret(string(c.Password))}, Sources: c.Match,
		Number: c.Number, Limit: c.MaxCalls,
	}
	if c.Register {
		t.Mode = trunk.Register
	}
	switch c.Format {
	case "e164":
		t.Incoming, t.Outgoing = trunk.E164, trunk.E164
	case "national":
		t.Incoming, t.Outgoing = trunk.National, trunk.National
	}
	return t
}
