/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lab: a cloud on one machine, for trying things.
 *
 * Each host of a lab is a network namespace with a weftd of its own; each workload is a namespace
 * too. Everything about a lab is below LAB_DIRECTORY/NAME:
 *
 *	lab.json          the registry: hosts, nodes, namespaces; written before they are made,
 *	                  so that `lab down` finds them whatever happened
 *	HOST/weftd.sock   where the host's daemon listens
 *	HOST/weftd.log    what it said
 *	HOST/state/       its store
 *
 * Names: the namespace of host h1 of lab shop is "weft-shop-h1", its daemon's instance is
 * "lab-shop-h1"; the namespace of workload blue/web1 is "shop-blue-web1", and where `attach` names
 * a namespace (two ports of one workload) "web" becomes "shop-web".
 *
 * A lab of several hosts has an underlay between them (namespace "weft-shop-underlay", and one for
 * each router), and a store: etcd, whose members are "store1" and so on.
 *
 * Neighbours: lab.c (commands) → lab_up.c (making and taking down) → lab_file.c (what the file
 * says), lab_wires.c and lab_underlay.c (what is between the hosts), lab_host.c (daemons),
 * lab_store.c (etcd), lab_registry.c (lab.json), lab_exec.c.
 */
#ifndef WEFT_CLI_LAB_H
#define WEFT_CLI_LAB_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "cli/command.h"
#include "client/yaml.h"

#define LAB_DIRECTORY "/run/weft/lab"
#define LAB_NAME_SIZE 33 /* 32 characters and the NUL */
#define LAB_STORE_MEMBERS_MAX 5
#define LAB_STORE_ADDRESS "100.64.0.%d" /* of member 1, 2, … on the control network */

/**
 * struct lab - a lab's registry in memory
 * @name: its name
 * @registry: lab.json: {"name", "file", "state": "starting"|"up", "hosts": {HOST: {"namespace",
 *	"instance", "pid", "started"}}, "nodes": {NODE: {"namespace", "host", "place", "claimed"}}};
 *	with several hosts "underlay": {"networks", "routers"}, "machines": {NAME: {"namespace",
 *	"network", "addresses"}},
 *	"stores": {NAME: {"namespace", "address", "pid", "started"}}, and of each host "underlay",
 *	"network"
 * @lock: descriptor that keeps others from changing the lab; -1 if it was only read
 */
struct lab {
	char name[LAB_NAME_SIZE];
	json_t *registry;
	int lock;
};

/** lab_report - print why a command on a lab failed; Return: the exit status */
int lab_report(struct invocation *invocation, const struct error *error);

/* lab_registry.c ---------------------------------------------------------------------------- */

/** lab_create - make the directory of a new lab and lock it; -EEXIST if there is one */
int lab_create(struct lab *lab, const char *name, struct error *error);

/**
 * lab_open - read a lab's registry
 * @change: lock it as well; -EBUSY if another weft is at work on it
 *
 * Return: 0; -ENOENT if there is no such lab; or another negative errno.
 */
int lab_open(struct lab *lab, const char *name, bool change, struct error *error);

/** lab_save - write lab.json */
int lab_save(const struct lab *lab, struct error *error);

/** lab_close - release; the lab stays */
void lab_close(struct lab *lab);

/** lab_delete_files - remove everything below the lab's directory, and it */
int lab_delete_files(const struct lab *lab, struct error *error);

/** lab_names - the names of all labs, as an array; new reference */
json_t *lab_names(void);

/** lab_path - LAB_DIRECTORY/NAME/HOST/FILE, or what of it is not NULL; owned by the caller */
char *lab_path(const char *name, const char *host, const char *file);

/** lab_socket - the socket of host @host, or (NULL) of the first host, of "NAME" or "NAME/HOST" */
char *lab_socket(const char *text);

/** lab_host - a host's entry; borrowed, NULL if there is none */
json_t *lab_host(const struct lab *lab, const char *host);

/** lab_store - a member of the store; borrowed, NULL if there is none */
json_t *lab_store(const struct lab *lab, const char *name);

/** lab_machine - the underlay or a router; borrowed, NULL if there is none */
json_t *lab_machine(const struct lab *lab, const char *name);

/** lab_node - a node's entry; borrowed, NULL if there is none */
json_t *lab_node(const struct lab *lab, const char *node);

/* lab_file.c ---------------------------------------------------------------------------------- */

/**
 * lab_plan - what a lab file asks for
 * @document: the file; its tree is changed into what the daemon is given: without lab and hosts,
 *	with attach filled in
 * @file: its path, for messages and for a lab without a name
 * @registry: set to a registry with state "starting"; new reference
 *
 * Return: 0, or -EINVAL with the path in the file.
 */
int lab_plan(struct yaml_document *document, const char *file, json_t **registry,
	     struct error *error);

/** lab_plan_name - the lab's name of a file: lab.name, or the file's own without its ending */
int lab_plan_name(const json_t *tree, const char *file, char name[LAB_NAME_SIZE],
		  struct error *error);

/**
 * lab_attach - say of each port where its workload is in a lab that is up
 * @tree: what is to be applied: of ports without attach, and where attach names a namespace as
 *	the lab's file does, the names are filled in; all else is left as it is
 */
void lab_attach(json_t *tree, const json_t *registry);

/** lab_attach_by_socket - the same if @socket_path is that of a lab's host */
void lab_attach_by_socket(json_t *tree, const char *socket_path);

/* lab_wires.c --------------------------------------------------------------------------------- */

/**
 * lab_wires_plan - the underlay that the lab section asks for
 * @lab: the section; NULL or without `underlay`: one segment
 * @underlay: set to {"networks": {NAME: {"mtu"}}, "routers": {NAME: {NETWORK: [ADDRESS]}},
 *	"segments": {NAME: {"mtu"}}}, the last beside the underlay; new reference, also on failure
 */
int lab_wires_plan(const json_t *lab, json_t **underlay, struct error *error);

/**
 * lab_wires_plan_node - a machine without Weft on a network of the underlay
 * @entry: of the registry; gets "addresses" and "network", and if it has them "vlan", "gateway"
 */
int lab_wires_plan_node(const json_t *underlay, const char *name, const json_t *node, json_t *entry,
			struct error *error);

/**
 * lab_wires_plan_host - where on the underlay a host is
 * @host: its part of the file, from which the lab's own words are taken out
 * @entry: of the registry; gets "underlay" (list of addresses) and "network"
 */
int lab_wires_plan_host(const json_t *underlay, const char *name, json_t *host, json_t *entry,
			struct error *error);

/**
 * lab_wires_plan_uplinks - the devices by which a host is on networks beside the underlay
 * @host: its part of the file
 * @entry: of the registry; gets "uplinks" ({NETWORK: DEVICE}), those that are to be made
 */
int lab_wires_plan_uplinks(const json_t *underlay, const char *name, const json_t *host,
			   json_t *entry, struct error *error);

/**
 * lab_wires_plan_tags - the tags that workloads put on by themselves: of a port whose subnet passes them
 * @lab: the section; its "tags" are {PORT: {TAG: ADDRESSES}}
 * @nodes: of the registry; their entries get "tags" ({TAG: [ADDRESS]})
 */
int lab_wires_plan_tags(const json_t *lab, json_t *nodes, struct error *error);

/* lab_tag.c ------------------------------------------------------------------------------------ */

/** lab_tag - from now on a device of a namespace sends with a VLAN tag, and takes what has it */
int lab_tag(int netns, uint32_t ifindex, uint16_t tag, struct error *error);

/**
 * lab_tagged_device - a device in a namespace whose frames go by another one with a tag
 * @parent: name of the other one; the new one is PARENT.TAG, up
 * @tag: 0: no device is made, the addresses are those of the other one
 * @addresses: texts with the length of their network
 */
int lab_tagged_device(int netns, const char *parent, uint16_t tag, const char *mac,
		      const json_t *addresses, struct error *error);

/* lab_underlay.c ------------------------------------------------------------------------------ */

/** lab_underlay_make - all wires, in namespaces that are there; nothing where one host is alone */
int lab_underlay_make(struct lab *lab, struct error *error);

/* lab_store.c --------------------------------------------------------------------------------- */

/** lab_store_url - what daemons are given as --store, the caller's to free; NULL: they have their own */
char *lab_store_url(const struct lab *lab);

/** lab_store_exec - go on as a member of the store; does not return */
void lab_store_exec(const struct lab *lab, const char *name);

/** lab_store_answers - whether a member takes connections */
bool lab_store_answers(const struct lab *lab, const char *name);

/* lab_host.c ---------------------------------------------------------------------------------- */

/* Here a host may be a member of the store as well. */

/** lab_host_start - start the daemon of a host and wait until it answers; -EALREADY if it runs */
int lab_host_start(struct lab *lab, const char *host, struct error *error);

/**
 * lab_host_stop - end the daemon of a host and wait until it has
 * @kill_it: SIGKILL instead of SIGTERM
 *
 * Return: 0, -ESRCH if it does not run, -ETIMEDOUT, or another negative errno.
 */
int lab_host_stop(struct lab *lab, const char *host, bool kill_it, struct error *error);

/** lab_host_running - whether the daemon of a host runs */
bool lab_host_running(const struct lab *lab, const char *host);

/** lab_host_remove_datapath - take away what the host's daemon left in the kernel */
int lab_host_remove_datapath(const struct lab *lab, const char *host, struct error *error);

/** lab_program - path of weft or weftd that belongs to this one; owned by the caller */
char *lab_program(const char *name);

/* lab_up.c, lab_wait.c, lab_processes.c ------------------------------------------------------ */

/** lab_up - the command: bring a lab up, or leave nothing; Return: an exit status */
int lab_up(struct invocation *invocation);

/** lab_take_down - end and remove all of an open, locked lab; goes on after a failure */
int lab_take_down(struct lab *lab, struct error *error);

/**
 * lab_wait_plugged - wait until all ports of the tree that are on one host are plugged in
 * @host: its name; NULL: all ports
 * @progress: shows how many
 */
int lab_wait_plugged(const char *socket_path, const json_t *tree, const char *host,
		     void (*progress)(void *context, size_t done, size_t count), void *context,
		     struct error *error);

/** lab_end_processes - end all processes in the lab's namespaces */
int lab_end_processes(const struct lab *lab, struct error *error);

/* lab_exec.c ---------------------------------------------------------------------------------- */

/** lab_exec - the command: run a program on a node; returns only if that fails */
int lab_exec(struct invocation *invocation);

#endif
