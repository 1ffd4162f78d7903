package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
)

// Exported is a copy that was made of a box which does not start.
type Exported struct {
	Name  string
	Total Total
	// Secret is the key of a recovery kit that was made for this copy alone, since the box had none; empty: the
	// box's kit opens it. Nothing keeps it: whoever reads it here writes it down.
	Secret string
}

// Export copies the state of a box into a place and reads it back. It changes nothing in the state, so that it
// works on a card that can only be read, and makes no room in the place.
func Export(ctx context.Context, s Source, to Place, program string, now time.Time) (e Exported, err error) {
	recipients, reader, err := e.keys(s)
	if err != nil {
		return e, err
	}
	m := Manifest{Program: program, Name: officeName(s), Made: now.UTC().Truncate(time.Second)}
	if own, ok := recipients[0].(*age.X25519Recipient); ok {
		m.Box = own.String()
	}
	e.Name = Name(m.Name, m.Made)
	written, err := put(ctx, s, to, e.Name, m, recipients)
	if err != nil {
		return e, err
	}
	back, err := to.Get(ctx, e.Name)
	if err != nil {
		return e, fmt.Errorf("read the copy back: %w", err)
	}
	defer back.Close()
	got, total, err := Check(back, reader)
	if err != nil || got != m.as(format) || total.Files != written.Files-1 {
		return e, errors.Join(fmt.Errorf("the copy does not come back as it was written (%d of %d files)", total.Files, written.Files-1), err, to.Delete(ctx, e.Name))
	}
	e.Total = total
	return e, nil
}

// keys finds for whom the copy is encrypted, the box first, and a key that opens it again. Keys that cannot be
// read are no reason to give nothing out.
func (e *Exported) keys(s Source) ([]age.Recipient, age.Identity, error) {
	k, _ := ReadKeys(s)
	own, err := k.own()
	if err != nil {
		if own, err = age.GenerateX25519Identity(); err != nil {
			return nil, nil, err
		}
	}
	if kit, err := age.ParseX25519Recipient(k.Kit); err == nil {
		return []age.Recipient{own.Recipient(), kit}, own, nil
	}
	kit, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, err
	}
	e.Secret = kit.String()
	return []age.Recipient{own.Recipient(), kit.Recipient()}, own, nil
}

// put writes a backup into a place and tells how much it holds, the manifest included.
func put(ctx context.Context, s Source, to Place, name string, m Manifest, recipients []age.Recipient) (t Total, err error) {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		var err error
		t, err = Write(ctx, writer, s, m, recipients...)
		written <- errors.Join(err, writer.CloseWithError(err))
	}()
	err = to.Put(ctx, name, reader)
	_ = reader.CloseWithError(cause(err))
	if err := errors.Join(<-written, err); err != nil {
		return t, fmt.Errorf("write the backup: %w", err)
	}
	return t, nil
}
