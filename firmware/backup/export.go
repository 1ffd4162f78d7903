package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
)

// Copy is one of a box which does not start, that is about to be made. It changes nothing in the state, so that it
// works on a card that can only be read.
type Copy struct {
	Name string
	// Secret is the key of a recovery kit that was made for this copy alone, since the box had none; empty: the
	// box's kit opens it. Nothing keeps it: whoever reads it here writes it down.
	Secret string

	from       Source
	manifest   Manifest
	recipients []age.Recipient
	reader     age.Identity // opens it again
}

// NewCopy prepares a copy.
func NewCopy(s Source, program string, now time.Time) (c Copy, err error) {
	c.from = s
	if err := c.keys(s); err != nil {
		return c, err
	}
	c.manifest = Manifest{Program: program, Name: officeName(s), Made: now.UTC().Truncate(time.Second)}
	if own, ok := c.recipients[0].(*age.X25519Recipient); ok {
		c.manifest.Box = own.String()
	}
	c.Name = Name(c.manifest.Name, c.manifest.Made)
	return c, nil
}

// Write makes the copy and sends it off, encrypted. Who gets half of one finds that out when opening it.
func (c Copy) Write(ctx context.Context, out io.Writer) (Total, error) {
	return Write(ctx, out, c.from, c.manifest, c.recipients...)
}

// Put makes the copy in a place and reads it back, and makes no room there. It returns how much the copy holds.
func (c Copy) Put(ctx context.Context, to Place) (total Total, err error) {
	written, err := put(ctx, c.from, to, c.Name, c.manifest, c.recipients)
	if err != nil {
		return total, err
	}
	back, err := to.Get(ctx, c.Name)
	if err != nil {
		return total, fmt.Errorf("read the copy back: %w", err)
	}
	defer back.Close()
	got, total, err := Check(back, c.reader)
	if err != nil || got != c.manifest.as(got.V) || total.Files != written.Files-1 {
		return total, errors.Join(fmt.Errorf("the copy does not come back as it was written (%d of %d files)", total.Files, written.Files-1), err, to.Delete(ctx, c.Name))
	}
	return total, nil
}

// keys finds for whom the copy is encrypted, the box first, and a key that opens it again. Keys that cannot be
// read are no reason to give nothing out.
func (c *Copy) keys(s Source) error {
	k, _ := ReadKeys(s)
	own, err := k.own()
	if err != nil {
		if own, err = age.GenerateX25519Identity(); err != nil {
			return err
		}
	}
	c.reader = own
	if kit, err := age.ParseX25519Recipient(k.Kit); err == nil {
		c.recipients = []age.Recipient{own.Recipient(), kit}
		return nil
	}
	kit, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	c.Secret, c.recipients = kit.String(), []age.Recipient{own.Recipient(), kit.Recipient()}
	return nil
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
