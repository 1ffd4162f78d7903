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
