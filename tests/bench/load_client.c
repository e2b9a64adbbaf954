/* The load client of the benchmark: one thread, one epoll, so that it is not the bottleneck.
 *
 *   load_client http PORT FROM CONNECTIONS SECONDS ONCE REQUESTS
 *     sends the requests of a file in turn, each as soon as its connection has the answer before.
 *     Begins with FROM connections and opens the others evenly over the time. With ONCE each request
 *     is sent once, and the time only bounds it. A connection that is closed is opened again.
 *   load_client fan PORT SUBSCRIBERS EVENTS PER_EVENT MICROSECONDS SECONDS OPENINGS TRIGGERS
 *     opens a graphql-transport-ws socket for each subscriber, waits for the first item of each,
 *     sends a request for each event (one after the other, or so many microseconds apart) and
 *     waits until everybody who should be told has been.
 *   load_client hold PORT SUBSCRIBERS SECONDS OPENINGS
 *     opens sockets in the same way, says so on stdout, and holds them until stdin closes.
 *
 * A file of requests is a series of (32-bit length, bytes). OPENINGS has three for each subscriber:
 * upgrade, connection_init frame, subscribe frame; they are used in a circle. Each event has the
 * marker "in_bench_NNNNNN" in it, where NNNNNN is its number. The result is one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct { char *bytes; uint32_t length; } Block;
typedef struct { Block *blocks; int count; } Blocks;
typedef struct {
    int fd, stage, index;   /* stage of a socket: 0 upgrade, 1 init, 2 subscribe, 3 live */
    char *buffer;
    size_t held, room, start;
    int64_t sent_at;
} Connection;

static const char MARKER[] = "\"invoiceId\":\"in_bench_", KIND[] = "\"DETACHED\"";
static uint32_t *latencies;
static size_t latency_count, latency_room;
static uint16_t port;

static void fail(const char *what) {
    fprintf(stderr, "load_client: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static int64_t now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static void note_latency(int64_t micros) {
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (!latencies) fail("memory");
    }
    latencies[latency_count++] = (uint32_t)(micros > UINT32_MAX ? UINT32_MAX : micros);
}

static int by_size(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

static uint32_t percentile(double part) {
    if (!latency_count) return 0;
    size_t at = (size_t)(part * latency_count);
    return latencies[at < latency_count ? at : latency_count - 1];
}

static Blocks read_blocks(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    Blocks found = {0};
    uint32_t length;
    while (fread(&length, sizeof length, 1, file) == 1) {
        found.blocks = realloc(found.blocks, (found.count + 1) * sizeof(Block));
        char *bytes = malloc(length);
        if (fread(bytes, 1, length, file) != length) fail("a block that is cut off");
        found.blocks[found.count++] = (Block){bytes, length};
    }
    fclose(file);
    if (!found.count) fail("no requests");
    return found;
}

static int connected(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(int epoll, Connection *one) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event)) fail("epoll_ctl");
}

static void send_all(int fd, const char *bytes, size_t length) {
    while (length) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) fail("send");
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Whether the connection is still there. */
static int receive(Connection *one) {
    if (one->start == one->held) one->start = one->held = 0;
    /* Small at first: there may be ten thousand of them. */
    if (one->room - one->held < 2048 || one->room - one->held < one->room / 4) {
        memmove(one->buffer, one->buffer + one->start, one->held - one->start);
        one->held -= one->start;
        one->start = 0;
        if (one->room - one->held < 2048 || one->room - one->held < one->room / 4) {
            one->room = one->room ? one->room * 2 : 4096;
            one->buffer = realloc(one->buffer, one->room);
            if (!one->buffer) fail("memory");
        }
    }
    ssize_t got = recv(one->fd, one->buffer + one->held, one->room - one->held, 0);
    if (got <= 0) return 0;
    one->held += (size_t)got;
    return 1;
}

static void receive_or_fail(Connection *one) {
    if (!receive(one)) { errno = 0; fail("the server closed a connection"); }
}

/* The length of a whole HTTP answer at the start of the buffer, or 0. */
static size_t http_length(Connection *one, int *status) {
    char *text = one->buffer + one->start;
    size_t held = one->held - one->start;
    char *end = memmem(text, held, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - text) + 4, body = 0;
    *status = atoi(text + 9);
    int chunked = 0;
    for (char *line = text; line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2) {
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
    }
    if (!chunked) return held >= head + body ? head + body : 0;
    for (size_t at = head;;) {
        char *line_end = at < held ? memmem(text + at, held - at, "\r\n", 2) : NULL;
        if (!line_end) return 0;
        size_t size = strtoul(text + at, NULL, 16);
        at = (size_t)(line_end - text) + 2 + size + 2;
        if (at > held) return 0;
        if (!size) return at;
    }
}

static void ask_next(Connection *one, Blocks requests, int next) {
    Block *request = &requests.blocks[next % requests.count];
    one->sent_at = now_us();
    /* Where it is closed already, `receive` will tell. */
    for (size_t sent = 0; sent < request->length;) {
        ssize_t more = send(one->fd, request->bytes + sent, request->length - sent, MSG_NOSIGNAL);
        if (more <= 0) return;
        sent += (size_t)more;
    }
}

/* The 99th percentile of the last quarter of what was noted, in the order in which it was. */
static uint32_t late_p99(void) {
    size_t count = latency_count / 4;
    if (!count) return 0;
    uint32_t *late = malloc(count * sizeof *late);
    memcpy(late, latencies + latency_count - count, count * sizeof *late);
    qsort(late, count, sizeof *late, by_size);
    uint32_t found = late[(size_t)(0.99 * (double)count)];
    free(late);
    return found;
}

static int run_http(int from, int connections, double seconds, int once, Blocks requests) {
    int epoll = epoll_create1(0), next = 0, status = 0, open = 0;
    long answers = 0, refused = 0, closed = 0;
    size_t bytes = 0;
    Connection *all = calloc((size_t)connections, sizeof *all);
    int64_t begin = now_us(), end = begin + (int64_t)(seconds * 1e6), now = begin;
    struct epoll_event events[256];
    while (now < end && !(once && answers + closed >= requests.count)) {
        double part = (double)(now - begin) / (double)(end - begin);
        int wanted = from + (int)((connections - from) * part);
        for (; open < wanted && !(once && next >= requests.count); open++) {
            all[open].fd = connected();
            watch(epoll, &all[open]);
            ask_next(&all[open], requests, next++);
        }
        int ready = epoll_wait(epoll, events, 256, from < connections ? 5 : 100);
        for (int i = 0; i < ready; i++) {
            Connection *one = events[i].data.ptr;
            if (!receive(one)) {
                closed++;
                close(one->fd);
                one->held = one->start = 0;
                one->fd = connected();
                watch(epoll, one);
                if (!once || next < requests.count) ask_next(one, requests, next++);
                continue;
            }
            size_t length = http_length(one, &status);
            if (!length) continue;
            one->start += length;
            bytes += length;
            answers++;
            refused += status != 200;
            note_latency(now_us() - one->sent_at);
            if (!once || next < requests.count) ask_next(one, requests, next++);
        }
        now = now_us();
    }
    uint32_t late = late_p99();
    qsort(latencies, latency_count, sizeof *latencies, by_size);
    printf("{\"answers\": %ld, \"refused\": %ld, \"closed\": %ld, \"bytes\": %zu, \"seconds\": %.6f, "
           "\"p50_us\": %u, \"p99_us\": %u, \"late_p99_us\": %u}\n",
           answers, refused, closed, bytes, (now - begin) / 1e6, percentile(0.5), percentile(0.99), late);
    return 0;
}

/* One whole frame at the start of the buffer: its payload, or NULL. */
static char *frame(Connection *one, size_t *length, int *opcode) {
    unsigned char *at = (unsigned char *)one->buffer + one->start;
    size_t held = one->held - one->start, head = 2;
    if (held < 2) return NULL;
    size_t size = at[1] & 127;
    if (size == 126) {
        if (held < 4) return NULL;
        size = (size_t)at[2] << 8 | at[3];
        head = 4;
    } else if (size == 127) {
        if (held < 10) return NULL;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | at[i];
        head = 10;
    }
    if (held < head + size) return NULL;
    *opcode = at[0] & 15;
    *length = size;
    one->start += head + size;
    return (char *)at + head;
}

/* Whether it was a ping, which is answered: who does not is taken for gone. */
static int was_ping(Connection *one, int opcode, const char *payload, size_t length) {
    if (opcode != 9) return 0;
    char pong[131] = {(char)0x8a, (char)(0x80 | length)};  /* Masked with zeros. */
    memcpy(pong + 6, payload, length);
    send_all(one->fd, pong, length + 6);
    return 1;
}

static void opened(int epoll, Connection *one, Blocks openings) {
    one->fd = connected();
    one->stage = 0;
    watch(epoll, one);
    Block *upgrade = &openings.blocks[one->index * 3 % openings.count];
    send_all(one->fd, upgrade->bytes, upgrade->length);
}

/* Go on with opening; whether the socket went live just now. */
static int advanced(Connection *one, Blocks openings) {
    size_t length;
    int opcode, base = one->index * 3 % openings.count;
    if (one->stage == 0) {
        char *text = one->buffer + one->start;
        char *end = memmem(text, one->held - one->start, "\r\n\r\n", 4);
        if (!end) return 0;
        if (strncmp(text + 9, "101", 3)) { errno = 0; fail("an upgrade was refused"); }
        one->start += (size_t)(end - text) + 4;
        one->stage = 1;
        send_all(one->fd, openings.blocks[base + 1].bytes, openings.blocks[base + 1].length);
    }
    while (one->stage < 3) {
        char *payload = frame(one, &length, &opcode);
        if (!payload) return 0;
        if (opcode == 8) { errno = 0; fail("a socket was closed by the server"); }
        if (was_ping(one, opcode, payload, length) || opcode != 1) continue;
        if (memmem(payload, length, "\"error\"", 7)) { errno = 0; fail("a subscription was refused"); }
        if (one->stage == 1)
            send_all(one->fd, openings.blocks[base + 2].bytes, openings.blocks[base + 2].length);
        one->stage++;
    }
    return 1;
}

static void drop_frames(Connection *one) {
    size_t length;
    int opcode;
    for (char *payload; (payload = frame(one, &length, &opcode));)
        was_ping(one, opcode, payload, length);
}

static Connection *open_all(int epoll, int subscribers, Blocks openings, int64_t *took) {
    Connection *all = calloc((size_t)subscribers, sizeof *all);
    struct epoll_event events[512];
    int live = 0, begun = 0;
    int64_t begin = now_us();
    while (live < subscribers) {
        while (begun < subscribers && begun - live < 64) {
            all[begun].index = begun;
            opened(epoll, &all[begun++], openings);
        }
        int ready = epoll_wait(epoll, events, 512, 30000);
        if (ready <= 0) { errno = 0; fail("subscribers did not get their first item"); }
        for (int i = 0; i < ready; i++) {
            Connection *one = events[i].data.ptr;
            receive_or_fail(one);
            if (one->stage < 3) live += advanced(one, openings);
            else drop_frames(one);
        }
    }
    *took = now_us() - begin;
    return all;
}

static int run_fan(int subscribers, int count, long per_event, long apart, double seconds,
                   Blocks openings, Blocks triggers) {
    int epoll = epoll_create1(0), sent = 0, answered = 1, status = 0;
    int64_t opening, *sent_at = calloc((size_t)count, sizeof *sent_at);
    Connection *all = open_all(epoll, subscribers, openings, &opening);
    Connection trigger = {.fd = connected(), .index = -1};  /* An idle one is closed in the end. */
    watch(epoll, &trigger);
    long delivered = 0, wanted = per_event * count, refused = 0, disordered = 0, closed = 0;
    int *last = malloc((size_t)subscribers * sizeof *last);
    memset(last, 0xff, (size_t)subscribers * sizeof *last);
    struct epoll_event events[512];
    int64_t begin = now_us(), deadline = begin + (int64_t)(seconds * 1e6), finished = begin;
    while (delivered < wanted && now_us() < deadline) {
        int64_t due = apart ? begin + sent * apart : 0;
        if (sent < count && answered && now_us() >= due) {
            Block *request = &triggers.blocks[sent % triggers.count];
            sent_at[sent++] = now_us();
            answered = 0;
            send_all(trigger.fd, request->bytes, request->length);
        }
        int ready = epoll_wait(epoll, events, 512, sent < count && apart ? 1 : 100);
        for (int i = 0; i < ready; i++) {
            Connection *one = events[i].data.ptr;
            if (!receive(one)) {
                if (one == &trigger && (sent < count || !answered)) {
                    errno = 0;
                    fail("the server closed the triggers' connection");
                }
                close(one->fd);
                closed += one != &trigger;
                continue;
            }
            if (one == &trigger) {
                size_t length = http_length(one, &status);
                if (length) { one->start += length; answered = 1; refused += status != 200; }
                continue;
            }
            size_t length;
            int opcode;
            for (char *payload; (payload = frame(one, &length, &opcode));) {
                if (was_ping(one, opcode, payload, length)) continue;
                char *found = opcode == 1 ? memmem(payload, length, MARKER, sizeof MARKER - 1) : NULL;
                if (!found || !memmem(payload, length, KIND, sizeof KIND - 1)) continue;
                int number = atoi(found + sizeof MARKER - 1);
                if (number < 0 || number >= count || !sent_at[number]) continue;
                finished = now_us();
                note_latency(finished - sent_at[number]);
                disordered += number <= last[one->index];
                last[one->index] = number;
                delivered++;
            }
        }
    }
    qsort(latencies, latency_count, sizeof *latencies, by_size);
    printf("{\"delivered\": %ld, \"wanted\": %ld, \"refused\": %ld, \"disordered\": %ld, \"closed\": %ld, \"seconds\": %.6f, "
           "\"opening_seconds\": %.6f, \"p50_us\": %u, \"p99_us\": %u}\n",
           delivered, wanted, refused, disordered, closed, (finished - begin) / 1e6, opening / 1e6,
           percentile(0.5), percentile(0.99));
    (void)all;
    return 0;
}

static int run_hold(int subscribers, double seconds, Blocks openings) {
    int epoll = epoll_create1(0);
    int64_t opening, end = now_us() + (int64_t)(seconds * 1e6);
    open_all(epoll, subscribers, openings, &opening);
    printf("{\"opening_seconds\": %.6f}\n", opening / 1e6);
    fflush(stdout);
    Connection standard_input = {.fd = 0};
    watch(epoll, &standard_input);
    struct epoll_event events[512];
    while (now_us() < end) {
        int ready = epoll_wait(epoll, events, 512, 1000);
        for (int i = 0; i < ready; i++) {
            Connection *one = events[i].data.ptr;
            if (one == &standard_input) return 0;
            receive_or_fail(one);
            drop_frames(one);
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) fail("arguments");
    port = (uint16_t)atoi(argv[2]);
    if (!strcmp(argv[1], "http") && argc == 8)
        return run_http(atoi(argv[3]), atoi(argv[4]), atof(argv[5]), atoi(argv[6]), read_blocks(argv[7]));
    if (!strcmp(argv[1], "fan") && argc == 10)
        return run_fan(atoi(argv[3]), atoi(argv[4]), atol(argv[5]), atol(argv[6]), atof(argv[7]),
                       read_blocks(argv[8]), read_blocks(argv[9]));
    if (!strcmp(argv[1], "hold") && argc == 6)
        return run_hold(atoi(argv[3]), atof(argv[4]), read_blocks(argv[5]));
    errno = 0;
    fail("arguments");
}
