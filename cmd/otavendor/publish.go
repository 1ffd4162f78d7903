package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/ota/delta"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
)

// list is a flag that can be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// publish offers a release.
func (v *vendor) publish(ctx context.Context, flags *flag.FlagSet, args []string) error {
	var from list
	parts := map[string]*string{}
	channel := flags.String("channel", repository.Beta, "stable, beta or security; needs its key, and those of snapshot and timestamp")
	manifest := flags.String("manifest", "", "file with what the release says of itself, as JSON without parts and deltas: version, models, data_schema, severity, notes, rollout, ...")
	parts["slot"] = flags.String("slot", "", "slot.img, as mkimage release makes it")
	for _, name := range []string{"deb-amd64", "deb-arm64"} {
		parts[name] = flags.String(name, "", "package")
	}
	flags.Var(&from, "from", "slot.img of an earlier release, from which a delta is made; can be given several times")
	if err := parse(flags, args); err != nil {
		return err
	}
	m, err := said(*manifest)
	if err != nil {
		return err
	}
	keys, err := v.load(*channel, repository.Snapshot, repository.Timestamp)
	if err != nil {
		return err
	}
	r, err := repository.Open(v.repo, time.Now)
	if err != nil {
		return err
	}
	for _, name := range []string{"slot", "deb-amd64", "deb-arm64"} {
		if *parts[name] == "" {
			continue
		}
		content, err := os.ReadFile(*parts[name])
		if err != nil {
			return err
		}
		p, err := add(r, name, content)
		if err != nil {
			return err
		}
		m.Parts = append(m.Parts, p)
		fmt.Fprintf(v.out, "%s: %.1f MB, fetched as %.1f MB\n", name, float64(p.Size)/1e6, float64(p.Packed.Size)/1e6)
		if name != "slot" {
			continue
		}
		for _, old := range from {
			if err := v.delta(ctx, r, &m, old, content); err != nil {
				return err
			}
		}
	}
	if len(from) > 0 && *parts["slot"] == "" {
		return errors.New("-from goes with -slot")
	}
	if err := r.Publish(*channel, m, keys); err != nil {
		return err
	}
	fmt.Fprintf(v.out, "%s is in %s, for %v %% of the boxes\n", m.Version, *channel, m.Rollout.Percent)
	return nil
}

// said reads a manifest without parts.
func said(file string) (m release.Manifest, err error) {
	if file == "" {
		return m, errors.New("-manifest is needed")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // here it is a slip of the pen
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	if len(m.Parts) > 0 || len(m.Deltas) > 0 {
		return m, fmt.Errorf("%s: parts and deltas are found out from the files", file)
	}
	return m, nil
}

// add takes a part into the repository as boxes fetch it.
func add(r *repository.Repository, name string, content []byte) (p release.Part, err error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return p, err
	}
	packed, err := r.Add(bytes.NewReader(e.EncodeAll(content, nil)))
	if err := errors.Join(err, e.Close()); err != nil {
		return p, err
	}
	return release.Part{Name: name, Size: int64(len(content)), SHA256: sum(content), Packed: packed}, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// delta makes one from an earlier slot.
func (v *vendor) delta(ctx context.Context, r *repository.Repository, m *release.Manifest, old string, fresh []byte) error {
	was, err := os.ReadFile(old)
	if err != nil {
		return err
	}
	d, err := delta.Make(ctx, was, fresh)
	if err != nil {
		return fmt.Errorf("from %s: %w", old, err)
	}
	b, err := r.Add(bytes.NewReader(d))
	if err != nil {
		return err
	}
	m.Deltas = append(m.Deltas, release.Delta{Part: "slot", From: sum(was), Blob: b})
	fmt.Fprintf(v.out, "from %s: delta of %.0f kB\n", old, float64(b.Size)/1e3)
	return nil
}

// which are the flags that name a release.
func which(flags *flag.FlagSet) (channel, version *string) {
	return flags.String("channel", repository.Beta, strings.Join(repository.Channels(), ", ")), flags.String("version", "", "of the release, as 1.4.2")
}

func (v *vendor) percent(_ context.Context, flags *flag.FlagSet, args []string) error {
	channel, version := which(flags)
	percent := flags.Float64("percent", -1, "of the boxes, 0 to 100, at the end of the ramp")
	if err := parse(flags, args); err != nil {
		return err
	}
	return v.signed(func(r *repository.Repository, keys repository.Signers) error {
		return r.Percent(*channel, *version, *percent, keys)
	}, *channel)
}

func (v *vendor) withdraw(_ context.Context, flags *flag.FlagSet, args []string) error {
	channel, version := which(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	return v.signed(func(r *repository.Repository, keys repository.Signers) error {
		return r.Withdraw(*channel, *version, keys)
	}, *channel)
}

// signed changes a repository with the keys of some roles, and of those that sign every change.
func (v *vendor) signed(change func(*repository.Repository, repository.Signers) error, roles ...string) error {
	r, err := repository.Open(v.repo, time.Now)
	if err != nil {
		return err
	}
	keys, err := v.load(append(slices.Clone(roles), repository.Snapshot, repository.Timestamp)...)
	if err != nil {
		return err
	}
	return change(r, keys)
}

// bundle writes a file for a stick.
func (v *vendor) bundle(_ context.Context, flags *flag.FlagSet, args []string) (err error) {
	channel, version := which(flags)
	to := flags.String("out", "", "file to write, as pronto-1.4.2.zip")
	var parts list
	flags.Var(&parts, "part", "slot, deb-amd64 or deb-arm64; can be given several times (default: all)")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *to == "" {
		return errors.New("-out is needed")
	}
	r, err := repository.Open(v.repo, time.Now)
	if err != nil {
		return err
	}
	f, err := os.Create(*to)
	if err != nil {
		return err
	}
	return errors.Join(r.Bundle(f, *channel, *version, parts), f.Close())
}
