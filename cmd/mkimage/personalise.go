package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/board/identity"
	"github.com/pronto-pbx/pronto/board/network"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/label"
	"github.com/pronto-pbx/pronto/ui/access"
)

// personalise writes a box's own id and code into its data, and what its owner asked for in advance: an
// office and a fixed address.
func personalise(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("mkimage personalise", flag.ContinueOnError)
	flags.SetOutput(errs)
	image := flags.String("image", "", "image, or device of a card that it was written to")
	id := flags.String("id", "", "eight characters of the box's id (default: drawn)")
	typed := flags.String("code", "", "claim code (default: drawn)")
	office := flags.String("office", "", "configuration of the office (default: an empty one)")
	address := flags.String("address", "", "fixed address with its prefix, 192.168.1.10/24 (default: by DHCP)")
	gateway := flags.String("gateway", "", "router of a fixed address")
	dns := flags.String("dns", "", "name server of a fixed address (default: the router)")
	labels := flags.String("labels", "", "directory for the label, label-ID.svg, and its line in label-ID.csv")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *image == "" {
		return errors.New("-image is needed")
	}
	l, code, err := newLabel(*id, *typed)
	if err != nil {
		return err
	}
	fixed, err := fixedAddress(*address, *gateway, *dns)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "personalise-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	put := func(name string, write func(at string) error) error {
		at := filepath.Join(work, filepath.Base(name))
		if err := write(at); err != nil {
			return err
		}
		return card.Put(ctx, *image, name, at)
	}
	if err := put(identity.File, func(at string) error { return identity.Save(at, identity.Identity{ID: l.ID}) }); err != nil {
		return err
	}
	if err := put("pronto/label.json", func(at string) error { return statefile.Save(at, access.CodeVersion, code) }); err != nil {
		return err
	}
	if fixed.Address.IsValid() {
		if err := put(network.File, func(at string) error { return network.SaveFixed(at, fixed) }); err != nil {
			return err
		}
	}
	if *office != "" {
		if err := card.Put(ctx, *image, "pronto/pronto.yaml", *office); err != nil {
			return err
		}
	}
	if *labels != "" {
		if err := writeLabel(*labels, l); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "box %s, %s, code %s\n", l.ID, l.Address(), l.Text)
	return nil
}

func newLabel(id, typed string) (l label.Label, code access.Code, err error) {
	l.ID = cmp.Or(id, identity.NewID())
	if !identity.ValidID(l.ID) {
		return l, code, fmt.Errorf("-id %q has not eight characters of 0-9 and A-Z without I, L, O and U", id)
	}
	code = access.NewCode()
	if typed != "" {
		var ok bool
		if code, ok = access.ReadCode(typed); !ok {
			return l, code, fmt.Errorf("-code %q can be no claim code: it has eight characters and the right check character", typed)
		}
	}
	l.Name, l.Code, l.Text = identity.Name(l.ID), string(code), code.String()
	return l, code, nil
}

func fixedAddress(address, gateway, dns string) (f network.Fixed, err error) {
	if address == "" {
		if gateway != "" || dns != "" {
			err = errors.New("-gateway and -dns go with -address")
		}
		return f, err
	}
	if f.Address, err = netip.ParsePrefix(address); err != nil {
		return f, fmt.Errorf("-address: %w", err)
	}
	if gateway != "" {
		if f.Router, err = netip.ParseAddr(gateway); err != nil {
			return f, fmt.Errorf("-gateway: %w", err)
		}
	}
	if server := cmp.Or(dns, gateway); server != "" {
		a, err := netip.ParseAddr(server)
		if err != nil {
			return f, fmt.Errorf("-dns: %w", err)
		}
		f.DNS = []netip.Addr{a}
	}
	return f, f.Validate()
}

func writeLabel(dir string, l label.Label) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base := filepath.Join(dir, "label-"+l.ID)
	drawing, err := os.Create(base + ".svg")
	if err != nil {
		return err
	}
	if err := errors.Join(l.SVG(drawing), drawing.Close()); err != nil {
		return err
	}
	table, err := os.Create(base + ".csv")
	if err != nil {
		return err
	}
	return errors.Join(label.CSV(table, []label.Label{l}), table.Close())
}

func sorted(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
