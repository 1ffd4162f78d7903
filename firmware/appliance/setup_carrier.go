package appliance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// tryFor is how long one way to log in may take; a carrier that is there answers in a second or two.
const tryFor = 12 * time.Second

// variant is one way in which an account may have to be written.
type variant struct {
	key, value string
	trunk      config.Trunk
}

// variants are the ways that are known for an account's carrier, the plain one first. Of a carrier that locks out
// who tries again at once there is only that one.
func variants(t config.Trunk) []variant {
	p, err := presets.Find(t.Preset)
	if err != nil {
		return []variant{{trunk: t}}
	}
	all := []variant{{trunk: t}}
	has := func(quirk string) bool { return slices.Contains(p.Quirks, quirk) }
	if has("slow_retry") {
		return all
	}
	add := func(key, value string, change func(*config.Trunk)) {
		x := t
		change(&x)
		all = append(all, variant{key, value, x})
	}
	if other := otherUser(t.User); other != "" {
		add("user", other, func(x *config.Trunk) { x.User = other })
	}
	if has("alternate_port_5061") && len(p.Servers) > 0 && t.Server == "" {
		server := p.Servers[0] + ":5061"
		add("server", server, func(x *config.Trunk) { x.Server, x.Domain = server, p.Servers[0] })
	}
	if has("ask_platform") {
		for _, sibling := range platforms(p) {
			add("platform", sibling.Label, func(x *config.Trunk) { x.Preset, x.Name = sibling.ID, sibling.Label })
		}
	}
	if p.Transport == "udp" {
		add("transport", "TCP", func(x *config.Trunk) { x.Transport = "tcp" })
	}
	return all
}

// otherUser is a user's number with or without the country's code: the letters of carriers say one, their servers
// sometimes want the other. Empty: it is no number.
func otherUser(user string) string {
	switch {
	case strings.HasPrefix(user, "+39"):
		return user[3:]
	case len(user) >= 6 && strings.Trim(user, "0123456789") == "" && (user[0] == '0' || user[0] == '3'):
		return "+39" + user
	default:
		return ""
	}
}

// platforms are the other platforms of a carrier that has several: presets of the same first name that ask for
// nothing else.
func platforms(p presets.Preset) (all []presets.Preset) {
	known, err := presets.All()
	if err != nil {
		return nil
	}
	name, _, _ := strings.Cut(p.ID, "-")
	for _, x := range known {
		other, _, _ := strings.Cut(x.ID, "-")
		if other == name && x.ID != p.ID && x.Register == p.Register && slices.Equal(x.Asks, p.Asks) {
			all = append(all, x)
		}
	}
	return all
}

// tryAccount logs in at a carrier in each way that may help until one works. What is tried is told to nobody else:
// neither the journal nor the page's lines know of it.
func (b *Box) tryAccount(ctx context.Context, t config.Trunk) (all []setup.Tried) {
	for i, v := range variants(t) {
		if i > 0 && !mayHelp(v.key, all[0].Cause) {
			continue
		}
		cause, works := b.tryOne(ctx, v.trunk)
		all = append(all, setup.Tried{Key: v.key, Value: v.value, Cause: cause, Works: works, Trunk: v.trunk})
		if works || ctx.Err() != nil {
			break
		}
	}
	return all
}

// mayHelp tells whether a further way is worth somebody's waiting, after why the plain one did not work.
func mayHelp(key string, plain tel.LineCause) bool {
	switch plain {
	case tel.LineDNSFailed: // without names another way to write the account changes nothing
		return false
	case tel.LineUnreachable: // who does not answer has not read the user
		return key != "user"
	default:
		return true
	}
}

// tryOne logs in once and out again.
func (b *Box) tryOne(ctx context.Context, written config.Trunk) (cause tel.LineCause, works bool) {
	cfg, err := trunkConfig(written)
	if err != nil {
		b.log.Warn("an account cannot be tried", "err", err)
		return tel.LineWrongDomain, false
	}
	cfg.ID, cfg.Trial = "trial", true
	told := make(chan tel.LineChanged, 16)
	t, err := trunk.New(cfg, trunk.Deps{
		Log: b.log.With("room", "trunk"), Stack: b.stack, Directory: b.opts.Carriers,
		Changed: func(l tel.LineChanged) {
			select {
			case told <- l:
			default: // the last word is asked for
			}
		},
	})
	if err != nil {
		b.log.Warn("an account cannot be tried", "err", err)
		return tel.LineWrongDomain, false
	}
	defer t.Close()
	t.Start()
	limit := time.NewTimer(tryFor)
	defer limit.Stop()
	cause = tel.LineUnreachable
	for waits := true; waits; {
		select {
		case l := <-told:
			works = l.Up
			if l.Cause != tel.LineRegistering {
				cause = l.Cause
			}
			waits = !l.Up && l.Cause == tel.LineRegistering
		case <-limit.C:
			waits = false
		case <-ctx.Done():
			waits = false
		}
	}
	if works {
		b.farewell(t)
	}
	return cause, works
}

// farewell logs a tried account out, so that the line that is made of it is the only one.
func (b *Box) farewell(t *trunk.Trunk) {
	gone := t.Leave()
	limit := time.NewTimer(leaveLimit)
	defer limit.Stop()
	select {
	case <-gone:
	case <-limit.C:
		b.log.Warn("a carrier does not hear that a trial is over", "err", errors.New("no answer"))
	}
}
