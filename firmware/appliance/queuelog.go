package appliance

import (
	"bytes"
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/report/queuelog"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// queueLog is what happened in a span as Asterisk's queue_log says it, as far back as the journal reaches.
func (b *Box) queueLog(ctx context.Context, from, to time.Time, anonymous bool) ([]byte, error) {
	log := queuelog.New(from, to)
	log.Anonymous = anonymous
	ended := tel.CallEnded{}.Kind()
	err := b.history.Read(0, func(r journal.Record) error {
		switch r.Kind {
		case replay.KindDecision:
			at, events, err := replay.Published(r.Body)
			if err != nil {
				b.log.Warn("a decision of the queues cannot be read", "position", uint64(r.Pos), "err", err)
				return ctx.Err()
			}
			for _, e := range events {
				log.Take(at, e)
			}
		case ended:
			if e, err := cdr.Decode(r.Kind, r.Body); err == nil { // recordd counts what it cannot read
				log.Take(r.Wall, e)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = log.Write(&out)
	return out.Bytes(), err
}
