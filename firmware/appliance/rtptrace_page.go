package appliance

import (
	"cmp"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// traceTargets are what RTP can be kept of: every phone, trunk and line.
func traceTargets(c *config.Config) (all []page.Choice) {
	for _, p := range c.Phones {
		name := string(p.ID)
		if i := slices.IndexFunc(c.Agents, func(a config.Agent) bool { return slices.Contains(a.Phones, p.ID) }); i >= 0 && c.Agents[i].Name != "" {
			name += " · " + c.Agents[i].Name
		} else if p.Name != "" {
			name += " · " + p.Name
		}
		all = append(all, page.Choice{ID: "phone:" + string(p.ID), Name: name})
	}
	for _, x := range c.Trunks {
		all = append(all, page.Choice{ID: "trunk:" + string(x.ID), Name: cmp.Or(x.Name, string(x.ID))})
	}
	for _, x := range c.Lines {
		all = append(all, page.Choice{ID: "line:" + string(x.ID), Name: cmp.Or(x.Name, string(x.ID))})
	}
	return all
}

// tracePages is the page's way to the permission.
func (b *Box) tracePages() settings.Traces {
	t := &b.rtpTrace
	return settings.Traces{
		Now: t.page, Permit: t.permit, Stop: t.stop,
		Delete: func(by settings.By) {
			if t.forgetAll() > 0 {
				b.noteAccess(access.Note{At: time.Now(), What: access.DeedRTPTraceDeleted, User: by.User, From: by.From})
			}
		},
		Has:     func(call tel.CallID) bool { return t.basis() && t.has(call) },
		Capture: b.captureRTP,
	}
}

// page is what the page shows.
func (t *rtpTrace) page() page.RTPTrace {
	c, zone := t.b.config(), t.b.location()
	p := page.RTPTrace{Basis: t.basis(), Targets: traceTargets(c), Spans: traceSpans()}
	t.mu.Lock()
	if t.on != nil {
		told := t.told
		p.On = &page.TraceOn{Of: told.Of, Name: told.Name, By: told.By, Why: t.on.Why, Since: told.Since.In(zone), Until: told.Until.In(zone)}
	}
	if !t.forget.IsZero() {
		p.Forget = t.forget.Round(0).In(zone)
	}
	t.mu.Unlock()
	for _, k := range t.ring.Calls() {
		p.Kept = append(p.Kept, page.KeptRTP{Call: k.Call, From: byTheClock(k.From).In(zone), To: byTheClock(k.To).In(zone), Packets: k.Packets, Lost: k.Lost})
	}
	return p
}

// byTheClock is a moment of this process by the clock as it is now, which may have been set since.
func byTheClock(at time.Time) time.Time {
	n := time.Now()
	return n.Add(at.Sub(n))
}

// has reports whether RTP of a call is kept.
func (t *rtpTrace) has(call tel.CallID) bool {
	return slices.ContainsFunc(t.ring.Calls(), func(k capture.Kept) bool { return k.Call == call })
}

// captureRTP writes the SIP messages of a call and its RTP as a pcapng file, and notes who has taken it. It writes
// nothing, and says so, where there is no RTP or no legal basis for it any more.
func (b *Box) captureRTP(w io.Writer, call tel.CallID, by settings.By) (bool, error) {
	if !b.rtpTrace.basis() {
		return false, nil
	}
	packets := b.rtpTrace.ring.Packets(call)
	if len(packets) == 0 {
		return false, nil
	}
	b.noteAccess(access.Note{At: time.Now(), What: access.DeedRTPTraceTaken, User: by.User, Whom: string(call), From: by.From})
	ours := map[netip.Addr]netip.Addr{}
	local := func(remote netip.AddrPort) netip.Addr {
		a, ok := ours[remote.Addr()]
		if !ok {
			a = b.ourAddress(remote)
			ours[remote.Addr()] = a
		}
		return a
	}
	return true, trace.WritePcapng(w, b.trace.Find(string(call)), packets, local)
}
