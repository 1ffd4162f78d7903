package appliance

import (
	"fmt"
	"net"

	lineparty "github.com/pronto-pbx/pronto/firmware/line/party"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// hostOf is the host of "host" or "host:port".
func hostOf(server string) string {
	if host, _, err := net.SplitHostPort(server); err == nil {
		return host
	}
	return server
}

func (b *Box) openLines() error {
	b.lines = lineparty.New(lineparty.Config{
		Log: b.log.With("room", "line"), Engine: b.engine, Sounds: newSounds(), Language: b.language,
		Arrive: b.arrive, Changed: b.lineChanged,
	})
	for _, c := range b.opts.Config.Lines {
		l, err := b.opts.Board.Line(c, b.log.With("room", "line", "line", c.ID))
		if err != nil {
			return fmt.Errorf("line %q: %w", c.ID, err)
		}
		b.lines.Add(l)
	}
	return nil
}

// lineChanged shows a line's new state and keeps the verdict whether anything outside works.
func (b *Box) lineChanged(l tel.LineChanged) {
	b.publish(l)
	b.report("lines", b.present.anyLineUp(), "no outside line works")
}
