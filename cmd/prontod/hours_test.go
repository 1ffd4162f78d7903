package main_test

import (
	"fmt"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// The hours of this office do not depend on when the test runs: every day of the year is an exception.
const shopHours = `hours:
  - {id: shop, name: Shop, key: 1, open: ["mon-sun 00:00-24:00"], then: "ext:201", closed: "say:closed", holiday: "say:closed"%s}
`

const alwaysClosed = `, exceptions: [{name: Stocktaking, from: 01-01, to: 12-31}]`

func TestTheOfficeIsForcedClosedAndOpenByCodeAndShowsItOnAKey(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "hours:shop", Calls: person(201, "office: true"), Extra: fmt.Sprintf(shopHours, ""),
	})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzStranger)
	carrier := carrierOf(t, o, hzCarrier)
	closed, open := subscribe(t, anna.Peer, "dialog", "*29"), subscribe(t, anna.Peer, "dialog", "*28")
	note(t, closed, `entity="sip:*29@`)

	c := carrier.customer(mobileNumber)
	talking(t, "open by the table", c, hzCarrier, anna.picksUp(), hzAgent)
	c.Hangup()
	if s := bruno.refused("*29"); s != 403 {
		t.Errorf("a person who may not close the office: %d", s)
	}
	anna.code("*291")
	note(t, closed, "<state>confirmed</state>")
	c = carrier.customer(mobileNumber)
	listen(t, "forced closed", c)
	within(t, "the end of the announcement", c.Ended())
	anna.quiet("the office is forced closed")
	o.Kill()
	o.Phone(201)
	o.Line("trunk:carrier", true)
	c = carrier.customer(mobileNumber)
	listen(t, "forced closed, after a crash", c)
	c.Hangup()
	anna.code("*28")
	note(t, open, "<state>confirmed</state>")
	c = carrier.customer(mobileNumber)
	talking(t, "forced open", c, hzCarrier, anna.picksUp(), hzAgent)
	c.Hangup()
}

func TestAnExceptionThatCoversTodayClosesTheOfficeUntilItIsForcedOpen(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "hours:shop", Calls: person(201, "office: true"),
		Extra: fmt.Sprintf(shopHours, alwaysClosed),
	})
	anna := deskAt(t, o, 201, hzAgent)
	carrier := carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	listen(t, "closed by the exception", c)
	within(t, "the end of the announcement", c.Ended())
	anna.code("*28")
	c = carrier.customer(mobileNumber)
	talking(t, "forced open", c, hzCarrier, anna.picksUp(), hzAgent)
	c.Hangup()
	anna.code("*27") // the table decides again
	c = carrier.customer(mobileNumber)
	listen(t, "closed again", c)
	c.Hangup()
	anna.quiet("closed by the exception")
}

func TestAClosedOfficeSendsCallersToAnotherDestination(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "hours:shop",
		Extra: `hours: [{id: shop, name: Shop, open: ["mon-sun 00:00-24:00"], then: "ext:201", closed: "ext:202", exceptions: [{name: Holiday, from: 01-01, to: 12-31}]}]` + "\n",
	})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	talking(t, "closed", c, hzCarrier, bruno.picksUp(), hzCaller)
	c.Hangup()
	anna.quiet("closed")
}
