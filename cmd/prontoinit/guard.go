package main

import (
	"context"
	"net/netip"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/device"
	"github.com/pronto-pbx/pronto/board/firewall"
	"github.com/pronto-pbx/pronto/board/firewall/opening"
)

// ownPages are the ports on which this program explains an outage; the exchange has them otherwise.
func ownPages() (all []opening.Opening) {
	for _, port := range []uint16{80, 443} {
		all = append(all, opening.Opening{Protocol: opening.TCP, Address: netip.IPv4Unspecified(), First: port, Last: port})
	}
	return all
}

// guard closes the network and gives the exchange its devices, and looks after both until ctx ends.
func (b *box) guard(ctx context.Context) *firewall.Wall {
	wall, err := firewall.New(firewall.Config{Log: b.log, Asked: askedFile, Owner: account.Exchange, Answer: openedFile, Own: ownPages(), Fetcher: account.Updates})
	if err != nil {
		b.log.Error("every port can be reached", "err", err)
	}
	b.rooms.Go(func() {
		if err := wall.Run(ctx); err != nil {
			b.log.Error("the firewall stays as it is", "err", err)
		}
	})
	b.rooms.Go(func() {
		err := device.Run(ctx, device.Config{Log: b.log, Sys: "/sys", Dev: "/dev", UID: account.Exchange, GID: account.DevicesGroup})
		if err != nil {
			b.log.Error("the exchange does not get what is plugged in", "err", err)
		}
	})
	return wall
}
