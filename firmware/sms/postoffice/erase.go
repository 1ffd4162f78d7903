package postoffice

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Erase forgets the messages from and to whom alias knows another name for, and returns how many when the file has
// none of them. alias is called by the owner alone.
func (o *Office) Erase(ctx context.Context, alias func(tel.Number, time.Time) (tel.Number, bool)) (n int, err error) {
	reply := make(chan error, 1)
	f := func() {
		n = o.box.Erase(alias, time.Now())
		o.dirty = true
		o.acks = append(o.acks, func(err error) { reply <- err })
	}
	if err := o.ask(ctx, f); err != nil {
		return 0, err
	}
	select {
	case err := <-reply:
		return n, err
	case <-o.ctx.Done():
		return 0, line.ErrDown
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
