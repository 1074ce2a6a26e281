/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest workload behind a tap: it answers ping, and says so.
 *
 *	tap-echo DEVICE [COUNT]
 *
 * It opens a tap that weftd has made, as QEMU does (with a virtio header before each frame), and sends
 * every ICMP echo request back as a reply. It needs no ARP: Weft answers requests for its address, and
 * replies go to the MAC the request came from. It ends after COUNT replies, or never. Uses nothing of
 * Weft, so that it can be read alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>

#define VIRTIO_HEADER_SIZE 10
#define FRAME_SIZE_MAX 65600

/*
 * The tap as it was made: with one queue, or (`queues` of the port) with several. The kernel's default
 * for the header before each frame is the 10-byte one of virtio 0.9.
 */
static int tap_attach(const char *name)
{
	static const short queues[] = { 0, IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < 2; i++) {
		struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

		request.ifr_flags |= queues[i];
		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
		if (ioctl(fd, TUNSETIFF, &request) == 0)
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static uint16_t internet_checksum(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (size % 2)
		sum += (uint32_t)(data[size - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t kept[16];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

/* Turns an echo request into its reply where it lies. Returns whether it was one. */
static int echo(uint8_t *frame, size_t size)
{
	struct ether_header *ethernet = (struct ether_header *)frame;
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);
	struct icmphdr *icmp;
	size_t header_size, icmp_size;

	if (size < ETH_HLEN + sizeof(*ip) || ethernet->ether_type != htons(ETHERTYPE_IP))
		return 0;
	header_size = ip->ihl * 4UL;
	if (header_size < sizeof(*ip) || ip->protocol != IPPROTO_ICMP ||
	    ntohs(ip->tot_len) < header_size + sizeof(*icmp) ||
	    size < ETH_HLEN + (size_t)ntohs(ip->tot_len))
		return 0;
	icmp = (struct icmphdr *)(frame + ETH_HLEN + header_size);
	icmp_size = ntohs(ip->tot_len) - header_size;
	if (icmp->type != ICMP_ECHO)
		return 0;
	swap(ethernet->ether_dhost, ethernet->ether_shost, ETH_ALEN);
	swap((uint8_t *)&ip->saddr, (uint8_t *)&ip->daddr, sizeof(ip->saddr));
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = 0;
	icmp->checksum = internet_checksum((uint8_t *)icmp, icmp_size);
	return 1;
}

int main(int argument_count, char **arguments)
{
	static uint8_t buffer[VIRTIO_HEADER_SIZE + FRAME_SIZE_MAX];
	unsigned long count = argument_count > 2 ? strtoul(arguments[2], NULL, 10) : 0;
	unsigned long answered = 0;
	int fd;

	if (argument_count < 2) {
		fprintf(stderr, "usage: tap-echo DEVICE [COUNT]\n");
		return 2;
	}
	fd = tap_attach(arguments[1]);
	if (fd < 0) {
		fprintf(stderr, "tap-echo: %s: %s\n", arguments[1], strerror(errno));
		return 1;
	}
	printf("tap-echo: holds %s\n", arguments[1]);
	fflush(stdout);
	while (count == 0 || answered < count) {
		ssize_t size = read(fd, buffer, sizeof(buffer));

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= VIRTIO_HEADER_SIZE)
			break;
		if (!echo(buffer + VIRTIO_HEADER_SIZE, (size_t)size - VIRTIO_HEADER_SIZE))
			continue;
		memset(buffer, 0, VIRTIO_HEADER_SIZE);
		if (write(fd, buffer, (size_t)size) < 0)
			fprintf(stderr, "tap-echo: write: %s\n", strerror(errno));
		else
			printf("tap-echo: reply %lu\n", ++answered);
		fflush(stdout);
	}
	close(fd);
	return 0;
}
