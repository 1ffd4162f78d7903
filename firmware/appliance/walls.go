package appliance

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/board/firewall/opening"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// Walls is how this process is kept from what is not its business, and how others are kept from it.
type Walls struct {
	// Confined says what of the own walls this kernel could not build; nil: they stand.
	Confined error
	// Asked is the file that tells the first program of a box what others must be able to reach, and Opened
	// the one in which it answers; empty: somebody else looks after the network.
	Asked, Opened string
}

// openings are what a configuration has the box listen on. All of it is taken at the start.
func openings(c *config.Config) (all []opening.Opening) {
	add := func(at netip.AddrPort, protocols ...opening.Protocol) {
		for _, p := range protocols {
			if at.IsValid() && !at.Addr().IsLoopback() {
				all = append(all, opening.Opening{Protocol: p, Address: at.Addr().Unmap().WithZone(""), First: at.Port(), Last: at.Port()})
			}
		}
	}
	m := c.Media
	if !m.Bind.IsLoopback() { // first, because nearly every packet is audio
		all = append(all, opening.Opening{Protocol: opening.UDP, Address: m.Bind.Unmap().WithZone(""), First: uint16(m.PortMin), Last: uint16(m.PortMax)})
	}
	if m.Browsers.Max > 0 {
		add(netip.AddrPortFrom(m.Bind, uint16(m.Browsers.Port)), opening.UDP)
	}
	add(c.SIP.Listen, opening.UDP, opening.TCP)
	add(c.SIP.TLSListen, opening.TCP)
	add(c.Web.Listen, opening.TCP)
	add(c.Web.TLSListen, opening.TCP)
	return all
}

// lookAtWalls is how often the answer is read, and answerTime how long the first one may take.
const (
	lookAtWalls = 2 * time.Second
	answerTime  = 30 * time.Second
)

// watchWalls asks for what this configuration needs and reports how both walls stand, until ctx ends.
func (b *Box) watchWalls(ctx context.Context) {
	w := b.opts.Walls
	b.report("confined", w.Confined == nil, fault(w.Confined))
	if w.Asked == "" {
		return
	}
	asked := openings(b.config())
	if err := ask(w.Asked, asked); err != nil {
		b.report("firewall", false, err.Error())
		return
	}
	tick := time.NewTicker(lookAtWalls)
	defer tick.Stop()
	for begun := time.Now(); ; {
		answer, err := os.ReadFile(w.Opened)
		if err == nil {
			err = opening.Check(asked, answer)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the first program does not answer")
		}
		if err == nil || time.Since(begun) > answerTime || errors.Is(err, opening.ErrRefused) {
			b.report("firewall", err == nil, fault(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask writes the file whole: who reads it must not meet half of it.
func ask(path string, all []opening.Opening) error {
	part := path + ".part"
	if err := os.WriteFile(part, opening.Format(all), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// fault is what an error says, nothing for none.
func fault(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
