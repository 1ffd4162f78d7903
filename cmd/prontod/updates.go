package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// updatesOf is the page's way to the updater on a socket; sticks is the directory in which a stick has its bundles.
func updatesOf(socket, sticks string) settings.Updates {
	if socket == "" {
		return settings.Updates{}
	}
	c := remote.NewClient(socket)
	return settings.Updates{
		Most: remote.MaxBundle,
		State: func(ctx context.Context) page.UpdateState {
			s, err := c.State(ctx)
			if err != nil {
				return page.UpdateState{Away: true}
			}
			p := shown(s)
			p.Sticks = bundles(sticks)
			return p
		},
		Check: func(ctx context.Context) settings.Refusal { return refused(c.Check(ctx)) },
		Install: func(ctx context.Context, version string) settings.Refusal {
			return refused(c.Install(ctx, version))
		},
		Postpone: func(ctx context.Context, until time.Time) settings.Refusal { return refused(c.Postpone(ctx, until)) },
		Set: func(ctx context.Context, s page.UpdateSettings) settings.Refusal {
			return refused(c.Set(ctx, remote.Settings{Auto: s.Auto, Channel: s.Channel, Window: remote.Window{From: s.From, To: s.To}, Drain: s.Drain, EndCalls: s.EndCalls}))
		},
		Seen: func(ctx context.Context) settings.Refusal { return refused(c.Seen(ctx)) },
		Give: func(ctx context.Context, bundle io.Reader) settings.Refusal { return refused(c.Upload(ctx, bundle)) },
		Stick: func(ctx context.Context, name string) settings.Refusal {
			return refused(c.Stick(ctx, filepath.Join(sticks, filepath.Base(name))))
		},
	}
}

// bundles are the files on the stick that could be updates, at most so many as a person reads.
func bundles(dir string) (all []string) {
	const most = 20
	entries, err := os.ReadDir(dir) // none is plugged in
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && strings.EqualFold(filepath.Ext(name), ".update") && !strings.HasPrefix(name, ".") && len(all) < most {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// shown is what the updater tells, as the page shows it.
func shown(s remote.State) page.UpdateState {
	p := page.UpdateState{
		Slots: s.Backend != "deb", Running: page.UpdateSlot{Version: s.Running.Version, State: s.Running.State}, Idle: page.UpdateSlot{Version: s.Idle.Version, State: s.Idle.State},
		Phase: string(s.Phase), Version: s.Version, Done: s.Done, Total: s.Total, WaitsFor: waits()[s.WaitsFor], Until: s.Until,
		Trouble: because(s.Trouble, s.Words), Checked: s.Checked, Next: s.NextCheck, Stale: s.Stale,
		Settings: page.UpdateSettings{Auto: s.Settings.Auto, Channel: s.Settings.Channel, From: s.Settings.Window.From, To: s.Settings.Window.To, Drain: s.Settings.Drain, EndCalls: s.Settings.EndCalls, Postponed: s.Settings.Postponed},
	}
	if !s.Enabled {
		if p.Off = string(s.Why); !slices.Contains([]remote.Off{remote.OffVendor, remote.OffContainer, remote.OffSlots}, s.Why) {
			p.Off = string(remote.OffVendor)
		}
	}
	if o := s.Offer; o != nil {
		p.Offer = &page.UpdateOffer{Version: o.Version, Severity: o.Severity, Notes: o.Notes, Homepage: o.Homepage, Deadline: o.Deadline, Size: o.Size, Delta: o.Delta, Local: o.Local}
		for _, r := range o.Refused {
			p.Offer.Refused = append(p.Offer.Refused, page.UpdateRefusal{Code: r.Code, Detail: r.Words})
		}
	}
	if l := s.Last; l != nil {
		p.Last = &page.UpdateOutcome{Version: l.Version, Result: l.Result, Why: because(l.Code, l.Words), At: l.At, Seen: l.Seen}
	}
	return p
}

// waits are the page's words for what an update waits for.
func waits() map[remote.WaitsFor]string {
	return map[remote.WaitsFor]string{
		remote.ForOwner: "owner", remote.ForDate: "date", remote.ForTurn: "turn", remote.ForPostponed: "postponed", remote.ForWindow: "window",
		remote.ForEmergency: "emergency", remote.ForCalls: "calls", remote.ForCallers: "callers", remote.ForQuiet: "quiet",
		remote.ForExchange: "exchange", remote.ForVendor: "vendor", remote.ForRetry: "retry",
	}
}

// sentences are those of the codes; the checks of the health check have two, one for the call.
func sentences() map[slot.Code]string {
	return map[slot.Code]string{
		slot.CodeNetwork: "update.network", slot.CodeHash: "update.untrusted", slot.CodeTrust: "update.untrusted", slot.CodeFull: "update.full",
		slot.CodeDisk: "update.disk", slot.CodeDamaged: "update.disk", slot.CodeRead: "update.card", slot.CodeWrite: "update.card",
		slot.CodeDiffers: "update.card", slot.CodeLarge: "update.card", slot.CodeSlots: "update.system", slot.CodeWithdrew: "update.withdrawn",
		slot.CodeReset: "update.unstable", slot.CodeExpired: "update.unstable", slot.CodeGivenUp: "update.unstable", slot.CodeStarts: "update.unstable",
		slot.CodeUnfit: "update.unfit", slot.CodePackage: "update.package", slot.CodeWayBack: "update.package", slot.CodeNone: "update.none", slot.CodeMetadata: "update.expired",
		slot.CodeBundle: "update.bundle", slot.CodeOff: "update.off",
		remote.CodeMistaken: "update.mistaken", remote.CodeOther: "update.other", remote.CodeBusy: "update.busy",
		slot.Code("fit_" + fit.CheckCall): "update.unfit_call",
	}
}

// because is why something is as it is; nothing where there is no code.
func because(code slot.Code, words string) page.Said {
	if code == slot.None {
		return page.Said{}
	}
	sentence, known := sentences()[code]
	switch check, isFit := strings.CutPrefix(string(code), "fit_"); {
	case known:
	case isFit:
		sentence, words = "update.unfit", check+": "+words
	default: // of a later release than this program
		sentence, words = "update.system", string(code)+": "+words
	}
	return page.Said{Sentence: sentence, Detail: words}
}

// refused is the sentence for why the updater did not do something.
func refused(err error) settings.Refusal {
	if err == nil {
		return settings.Refusal{}
	}
	r, ok := errors.AsType[*remote.Refused](err)
	if !ok {
		return settings.Refusal{Sentence: "update.away", Detail: err.Error()}
	}
	if len(r.Reasons) > 0 {
		var words []string
		for _, reason := range r.Reasons {
			words = append(words, reason.Words)
		}
		return settings.Refusal{Sentence: "update.model", Detail: strings.Join(words, "; ")}
	}
	said := because(r.Code, r.Words)
	return settings.Refusal{Sentence: said.Sentence, Detail: said.Detail}
}
