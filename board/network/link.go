package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Loopback brings the interface up over which the programs of a box speak with each other.
func Loopback() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

// Wired waits for the interface with a cable: the first that is not on USB, where modems show interfaces of
// their own, or, after patience, any. sys is /sys/class/net.
func Wired(ctx context.Context, sys string, patience time.Duration) (string, error) {
	begun := time.Now()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		if name := wired(sys, time.Since(begun) >= patience); name != "" {
			return name, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no network interface: %w", ctx.Err())
		case <-look.C:
		}
	}
}

func wired(sys string, onUSB bool) string {
	devices, err := filepath.Glob(filepath.Join(sys, "*", "device"))
	if err != nil {
		return ""
	}
	slices.Sort(devices)
	usb := ""
	for _, d := range devices {
		name := filepath.Base(filepath.Dir(d))
		if kind, err := os.ReadFile(filepath.Join(sys, name, "type")); err != nil || strings.TrimSpace(string(kind)) != "1" {
			continue // not Ethernet
		}
		if _, err := os.Stat(filepath.Join(sys, name, "wireless")); err == nil {
			continue
		}
		to, err := filepath.EvalSymlinks(d)
		switch {
		case err == nil && !strings.Contains(to, "/usb"):
			return name
		case usb == "":
			usb = name
		}
	}
	if onUSB {
		return usb
	}
	return ""
}

// cable sends to each whether the interface has a cable, at first and at each change, until ctx ends.
func cable(ctx context.Context, name string, each func(up bool)) error {
	updates, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	if err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	defer func() { // its goroutine ends when it has sent what it read last
		close(done)
		for range updates {
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case u, open := <-updates:
			if !open {
				return fmt.Errorf("watch %s: the kernel tells no more", name)
			}
			if a := u.Attrs(); a.Name == name {
				each(a.RawFlags&unix.IFF_LOWER_UP != 0 && a.RawFlags&unix.IFF_UP != 0)
			}
		}
	}
}

// configure gives the interface this address and no other of IPv4, and the route out.
func configure(name string, u Use) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("configure %s: %w", name, err)
	}
	have, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("configure %s: %w", name, err)
	}
	var failed []error
	add := func() {
		if u.Address.IsValid() {
			failed = append(failed, netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(u)}))
		}
	}
	add()
	for _, a := range have {
		if !u.Address.IsValid() || a.IPNet.String() != ipNet(u).String() {
			failed = append(failed, netlink.AddrDel(link, &a))
		}
	}
	add() // an address of the same network went with the one before, whose second it was
	if u.Router.IsValid() {
		failed = append(failed, netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: u.Router.AsSlice(), Protocol: unix.RTPROT_DHCP}))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("configure %s: %w", name, err)
	}
	return nil
}

func ipNet(u Use) *net.IPNet {
	return &net.IPNet{IP: u.Address.Addr().AsSlice(), Mask: net.CIDRMask(u.Address.Bits(), 32)}
}
