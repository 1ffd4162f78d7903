package appliance

import (
	"log/slog"

	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
)

// supplyOf takes the pin that cuts the supply of a line's modem; nil: the line has none. A pin that cannot be had is
// told, and is no reason to be without the line; it is tried again when it is needed.
func supplyOf(c config.Line, b Board, log *slog.Logger) line.Supply {
	if !c.Power.Fitted() {
		return nil
	}
	s, err := light.OpenSupply(func() (lamp.Light, error) {
		lights, err := b.Lights([]config.Lamp{c.Power.Lamp(c.ID)})
		if err != nil {
			return nil, err
		}
		return lights[0], nil
	}, c.Power.For)
	if err != nil {
		log.Error("the pin at a modem's supply cannot be had", "line", c.ID, "err", err)
	}
	return s
}
