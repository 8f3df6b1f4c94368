/* Threads that share the pieces of one task, and sleep between tasks. */

#include <pthread.h>

typedef void Task(void *context, int piece, int thread);

typedef struct {
    int threads; /* the caller's among them */
    pthread_t *helpers;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    Task *task;
    void *context;
    int pieces, next, working, closed, joined;
    unsigned long round;
} Pool;

static int take_piece(Pool *pool) { return __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED); }

static void *help(void *argument) {
    Pool *pool = argument;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->lock);
    int thread = ++pool->joined;
    for (;;) {
        while (pool->round == seen && !pool->closed) pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->closed) break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        for (int piece; (piece = take_piece(pool)) < pool->pieces;) pool->task(pool->context, piece, thread);
        pthread_mutex_lock(&pool->lock);
        if (--pool->working == 0) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
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
    pool->round++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int piece; (piece = take_piece(pool)) < pieces;) task(context, piece, 0);
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
