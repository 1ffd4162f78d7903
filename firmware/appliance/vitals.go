package appliance

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/board/sim"
	"github.com/pronto-pbx/pronto/board/vitals"
	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// How often a board is looked at: a real one seldom, because each look wakes its sensors; one in files so that who
// lets a fault befall it sees it.
const (
	lookAtBoard = time.Minute
	lookAtFiles = time.Second
)

// boardConditions are what health knows of the board. A clock without a battery is worth knowing only: the network
// tells the time.
func boardConditions() (all []health.Spec) {
	for _, c := range vitals.Conditions() {
		s := health.Spec{Name: string(c), Severity: health.Warn}
		if c == vitals.Empty {
			s.Severity = health.Info
		}
		all = append(all, s)
	}
	return all
}

// living is a Board that tells how it is.
type living interface {
	mainboard
	// Vitals are where it tells, and how often it is looked at.
	Vitals() (root vitals.Root, every time.Duration, err error)
}

// Mainboard implements mainboard.
func (linuxBoard) Mainboard() model.Board { return vitals.System().Identify() }

// Look implements mainboard.
func (linuxBoard) Look(do func([]light.Chip) error) error { return withChips(do) }

// Vitals implements living.
func (linuxBoard) Vitals() (vitals.Root, time.Duration, error) {
	return vitals.System(), lookAtBoard, nil
}

// Mainboard implements mainboard: that of its files.
func (b simBoard) Mainboard() model.Board { return sim.Root(b.dir).Identify() }

// Look implements mainboard: it has no chips, and any lamp is in memory.
func (simBoard) Look(do func([]light.Chip) error) error { return do(nil) }

// errMute is the answer of a board that has nothing to tell.
var errMute = errors.New("the board does not tell how it is")

// Vitals implements living: the files are made when they are missing.
func (b simBoard) Vitals() (vitals.Root, time.Duration, error) {
	if b.dir == "" {
		return vitals.Root{}, 0, errMute
	}
	return sim.Root(b.dir), lookAtFiles, sim.Keep(b.dir, sim.Demo)
}

// watchBoard reports how the board is until ctx ends.
func (b *Box) watchBoard(ctx context.Context) {
	alive, ok := b.opts.Board.(living)
	if !ok {
		return
	}
	root, every, err := alive.Vitals()
	if errors.Is(err, errMute) {
		return
	} else if err != nil {
		b.log.Warn("the board does not tell how it is", "err", err)
		return
	}
	here := root.Identify()
	b.log.Info("board", "model", here.Says, "known", here.Known)
	w := vitals.NewWatch(vitals.Config{
		Log: b.log.With("room", "board"), Read: func() vitals.Reading { return vitals.Read(root) }, Limit: here.Hardware.Hot, Every: every,
		Report: func(f vitals.Finding) { b.report(string(f.Condition), f.OK, f.Text) },
	})
	b.vitals.Store(w)
	w.Run(ctx)
}

// machine is the page's way to the board.
func (b *Box) machine() settings.Board {
	here := func() model.Board {
		if m, ok := b.opts.Board.(mainboard); ok {
			return m.Mainboard()
		}
		return model.Identify(model.Facts{})
	}
	return settings.Board{Machine: here, State: func() *page.BoardState {
		if w := b.vitals.Load(); w != nil {
			if s, seen := w.State(); seen {
				return boardState(here(), s)
			}
		}
		return nil
	}}
}

const giga = 1e9

// boardState is a look at a board in the words of the page.
func boardState(here model.Board, s vitals.State) *page.BoardState {
	r := s.Last
	p := &page.BoardState{Heated: r.Heat.Told, Heat: r.Heat.Celsius, Limit: here.Hardware.Hot, Console: here.Console}
	for _, f := range s.Failing() {
		p.Wrong = append(p.Wrong, page.Said{Sentence: "board.wrong." + string(f.Condition), Args: []any{f.Text}})
	}
	if r.Power.Told {
		p.Power = &page.BoardPower{Low: r.Power.Low, Was: r.Power.Was, Slow: r.Power.Slow}
	}
	if r.Clock.Present {
		p.Clock = &page.BoardClock{Told: r.Clock.Told, Volt: float64(r.Clock.Battery) / 1000, Charged: r.Clock.Charged > 0}
	}
	for _, d := range r.Disks {
		perDay, _ := s.PerDay(d.Name)
		p.Disks = append(p.Disks, page.BoardDisk{Name: d.Name, Kind: d.Kind, GB: float64(d.Size) / giga, Worn: min(d.Worn, 100), Scarce: d.Spare >= vitals.Scarce, PerDay: float64(perDay) / giga})
	}
	for _, x := range r.Ports {
		p.Ports = append(p.Ports, page.BoardPort{Name: x.Name, Up: x.Up, Wireless: x.Wireless, Speed: x.Speed, Half: x.Half, Errors: x.Errors})
	}
	return p
}
