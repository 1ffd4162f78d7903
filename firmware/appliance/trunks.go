package appliance

import (
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
)

func (b *Box) openTrunks() error {
	kept := b.hot.Load(trunk.KindTrunk)
	for _, c := range b.opts.Config.Trunks {
		t, err := trunk.New(trunkConfig(c), trunk.Deps{
			Log: b.log.With("room", "trunk"), Stack: b.stack, Journal: b.hot, Changed: b.lineChanged,
		})
		if err != nil {
			return fmt.Errorf("trunk %q: %w", c.ID, err)
		}
		if err := t.Restore(kept); err != nil {
			b.log.Warn("trunk starts afresh", "trunk", c.ID, "err", err)
		}
		b.trunks = append(b.trunks, t)
	}
	b.office.SetTrunks(b.trunks)
	return nil
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
