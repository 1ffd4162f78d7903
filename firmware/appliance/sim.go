package appliance

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/credit"
	"github.com/pronto-pbx/pronto/firmware/credit/watch"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// sims watches over the SIMs: their credit and what their networks can do.
type sims struct {
	operators []credit.Operator
	watch     *watch.Watch

	mu     sync.Mutex // guards radios
	radios map[string]tel.LineChanged
}

// openSIMs begins to watch; the lines come after it.
func (b *Box) openSIMs() error {
	var err error
	b.sims.radios = map[string]tel.LineChanged{}
	if b.sims.operators, err = credit.Operators(); err != nil {
		return err
	}
	b.sims.watch, err = watch.Open(watch.Config{
		Log: b.log.With("room", "sim"), Path: filepath.Join(b.opts.Dir, "credit.json"), SIMs: b.watchedSIMs, Ask: b.askService,
		Report: func(text string) { b.report("sim_credit", text == "", text) },
	})
	return err
}

// watchedSIMs are those that may have a credit.
func (b *Box) watchedSIMs() (all []watch.SIM) {
	for _, c := range b.config().Lines {
		if c.SIM.Operator == config.NoOperator {
			continue
		}
		network := ""
		if l, ok := b.lines.radio(c.ID); ok {
			network = l.Signal().Network
		}
		s := watch.SIM{Line: c.ID, Ask: c.SIM.Ask, Limits: credit.Limits{Below: c.SIM.Below, Days: c.SIM.Days}}
		s.Operator, _ = credit.Find(b.sims.operators, c.SIM.Operator, network)
		switch s.Ask {
		case "":
			s.Ask = s.Operator.Ask
		case config.NoQuestion:
			s.Ask = ""
		}
		all = append(all, s)
	}
	return all
}

// radio is a line's antenna.
func (l *lines) radio(id tel.LineID) (line.Radio, bool) {
	x, ok := l.board.Line(id)
	if !ok {
		return nil, false
	}
	r, ok := x.(line.Radio)
	return r, ok
}

// askService asks the network of a line by a service code.
func (b *Box) askService(ctx context.Context, id tel.LineID, code string) (string, error) {
	x, ok := b.lines.board.Line(id)
	if !ok {
		return "", line.ErrDown
	}
	s, ok := x.(line.ServiceCodes)
	if !ok {
		return "", line.ErrNoSupport
	}
	return s.AskService(ctx, code)
}

// simsFollow judges what the network of a line can do, and lets the credit be asked when a line comes up.
func (b *Box) simsFollow(e tel.LineChanged) {
	b.sims.mu.Lock()
	was := b.sims.radios[e.Line]
	b.sims.radios[e.Line] = e
	var old, falls []string
	for name, l := range b.sims.radios {
		switch {
		case !l.Up:
		case l.Technology == string(line.UMTS):
			old = append(old, name)
		case l.Technology == string(line.LTE) && l.VoLTE == "no":
			falls = append(falls, name)
		}
	}
	b.sims.mu.Unlock()
	slices.Sort(old)
	slices.Sort(falls)
	b.report("line_3g", len(old) == 0, fmt.Sprintf("%s: only 3G, which is being switched off", strings.Join(old, ", ")))
	b.report("line_volte", len(falls) == 0, fmt.Sprintf("%s: no VoLTE, calls fall back to 2G or 3G", strings.Join(falls, ", ")))
	if e.Up && !was.Up {
		b.sims.watch.Now()
	}
}

// simGone forgets a line that is no more.
func (b *Box) simGone(name string) {
	b.sims.mu.Lock()
	delete(b.sims.radios, name)
	b.sims.mu.Unlock()
}

func (b *Box) closeSIMs() {
	if b.sims.watch != nil {
		b.sims.watch.Close()
	}
}
