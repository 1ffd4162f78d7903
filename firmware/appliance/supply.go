package appliance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// supplies are the pins that cut the supply of modems.
type supplies struct {
	b *Box

	mu      sync.Mutex // guards what follows
	without map[tel.LineID]error
}

// of takes the pin of a line; nil: the line has none. A pin that cannot be had is told, and is no reason to be without
// the line; it is tried again when it is needed.
func (s *supplies) of(c config.Line) line.Supply {
	if !c.Power.Fitted() {
		s.told(c.ID, nil)
		return nil
	}
	pin, err := light.OpenSupply(func() (lamp.Light, error) {
		lights, err := s.b.opts.Board.Lights([]config.Lamp{c.Power.Lamp(c.ID)})
		if err != nil {
			return nil, err
		}
		return lights[0], nil
	}, c.Power.For)
	if err != nil {
		s.b.log.Error("the pin at a modem's supply cannot be had", "line", c.ID, "err", err)
	}
	s.told(c.ID, err)
	return supply{pin, s, c.ID}
}

// told reports the lines that are without their pin.
func (s *supplies) told(id tel.LineID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.without, id)
	} else {
		if s.without == nil {
			s.without = map[tel.LineID]error{}
		}
		s.without[id] = err
	}
	var words []string
	for _, id := range slices.Sorted(maps.Keys(s.without)) {
		words = append(words, fmt.Sprintf("%s: %v", id, s.without[id]))
	}
	s.b.report("supplies", len(words) == 0, strings.Join(words, "; "))
}

// supply is a pin that tells whether it can be had when it is needed.
type supply struct {
	*light.Supply
	of *supplies
	id tel.LineID
}

// Cycle implements line.Supply.
func (s supply) Cycle(ctx context.Context) error {
	err := s.Supply.Cycle(ctx)
	if ctx.Err() == nil {
		s.of.told(s.id, err)
	}
	return err
}

// Close implements line.Supply: a line that is gone misses no pin.
func (s supply) Close() error {
	s.of.told(s.id, nil)
	return s.Supply.Close()
}
