// Package forecast tells callers how long they have still to wait, as an interval that keeps its
// promise: eight of ten waits end inside of it. It is pure.
//
// The method has three parts.
//
// What is learned (lifetable.go, rates.go, habit.go, memory.go). For each queue: how long talk, wrap-up,
// ringing and the patience of callers last, as hazards in bins of logarithmic width, so that what was
// cut off (a caller who was answered did not run out of patience) biases nothing (Kaplan and Meier
// 1958); how much longer than usual today's calls are; how many callers come. For each agent: pace, when
// sessions and long breaks usually begin and end. For the office: how often people pause, how late they
// come. Old observations fade, memory is bounded, and all of it is one plain value with Snapshot and
// Restore.
//
// What will happen (world.go). A picture of the office is played forward many times: what remains of
// each conversation is drawn given how long it has lasted already, whoever becomes free takes the caller
// whose turn it is among those whom it may serve, people ahead hang up, agents pause, go home and come.
// Who has asked for a pause or gone off duty during a call is known to go when it is over.
// Every caller is in all replications, so a whole queue costs what its last caller costs. That is the
// delay prediction by simulation which Ibrahim and Whitt (2009, "Real-time delay estimation in
// overloaded multiserver queues with abandonments") compare simpler rules with. With exponential
// times the same engine is M/M/n and agrees with Erlang's formulas (closed_test.go); staffing
// questions can use it as it is.
//
// How far that can be trusted (calibrate.go). When a wait has ended, the rank of the truth among the
// simulated waits is noted, by range of the forecast; later intervals use the ranks between which eight
// of ten truths lay (conformal prediction: Vovk, Gammerman and Shafer 2005; recalibration of ranks:
// Gneiting, Balabdaoui and Raftery 2007), and each miss moves the levels a little (adaptive conformal
// inference: Gibbs and Candès 2021). So the promise holds even where the simulation is wrong, after some
// hundred waits. Callers who hang up are not left out: a ghost keeps their place until an agent would
// have taken it.
//
// How much better it could be (oracle_test.go). Not much: somebody who knew the true distribution of every
// duration, every habit and every intention, and only not what chance has still to decide, would err less
// by a few hundredths. The median is what is told as one number, because it minimises the mean error.
//
// How to call it. A Learner belongs to one goroutine, which must not be the planner's: a forecast takes
// half a millisecond to a few milliseconds, a tenth of a second with five thousand waiting. The planner
// tells that goroutine each event (Observe) and, when somebody must be told a wait, a Picture that is a
// copy. Snapshot may be written every few minutes and at the end; nothing that leaves depends on it.
//
// Not modelled: which of several free agents a strategy prefers, weights between queues, the skills of
// callers who have not come yet, offers that are refused. Calibration learns what they cost.
package forecast
