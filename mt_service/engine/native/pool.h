/* Threads that share the pieces of one task, and sleep when the next one does not come soon. */

#include <pthread.h>
#include <time.h>

/* Seconds that a thread looks out for what it waits for before it sleeps: to be woken costs a tenth of a step. Longer than
   what Python does between two steps, shorter than others who want the processor would mind. */
static const double LOOKOUT = 0.00025;

typedef void Task(void *context, int piece, int thread);

typedef struct {
    int threads; /* the caller's among them */
    pthread_t *helpers;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    Task *task;
    void *context;
    int pieces, next, working, closed, joined;
    int round, finished; /* the task that all do, and the last one that all have done; looked at without the lock */
} Pool;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Look out, without the lock, until a number is no longer that, or for as long as is worth it. */
static void look_out(const int *number, int that) {
    double end = seconds_now() + LOOKOUT;
    while (__atomic_load_n(number, __ATOMIC_ACQUIRE) == that && seconds_now() < end) pause_briefly();
}

static inline void set(int *number, int value) { __atomic_store_n(number, value, __ATOMIC_RELEASE); }

static int take_piece(Pool *pool) { return __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED); }

static void *help(void *argument) {
    Pool *pool = argument;
    int thread = __atomic_add_fetch(&pool->joined, 1, __ATOMIC_RELAXED);
    for (int seen = 0;;) {
        look_out(&pool->round, seen);
        pthread_mutex_lock(&pool->lock);
        while (pool->round == seen && !pool->closed) pthread_cond_wait(&pool->wake, &pool->lock);
        int closed = pool->closed;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        if (closed) return NULL;
        for (int piece; (piece = take_piece(pool)) < pool->pieces;) pool->task(pool->context, piece, thread);
        pthread_mutex_lock(&pool->lock);
        if (--pool->working == 0) {
            set(&pool->finished, seen);
            pthread_cond_signal(&pool->done);
        }
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Run a task's pieces on all threads, and wait. */
static void share(Pool *pool, Task *task, void *context, int pieces) {
    if (pieces < 2 || pool->threads < 2) {
        for (int piece = 0; piece < pieces; piece++) task(context, piece, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->pieces = pieces;
    pool->next = 0;
    pool->working = pool->threads - 1;
    const int before = pool->finished;
    set(&pool->round, pool->round + 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int piece; (piece = take_piece(pool)) < pieces;) task(context, piece, 0);
    look_out(&pool->finished, before);
    pthread_mutex_lock(&pool->lock);
    while (pool->working) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void close_pool(Pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->closed = 1;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->helpers[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->helpers);
}

/* With fewer threads than asked for when the system gives no more. */
static int open_pool(Pool *pool, int threads) {
    memset(pool, 0, sizeof *pool);
    pool->helpers = calloc(threads, sizeof(pthread_t));
    if (!pool->helpers) return 0;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = 1;
    for (int i = 0; i < threads - 1; i++)
        if (!pthread_create(pool->helpers + pool->threads - 1, NULL, help, pool)) pool->threads++;
    return 1;
}
