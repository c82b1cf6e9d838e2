/* A camera's driver for LD_PRELOAD, by the kernel's own header: every ioctl of V4L2 is answered here.
   MJPG has two sizes, with two rates and one; YUYV has sizes in steps, with intervals in steps. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(void) { errno = EINVAL; return -1; }

static int answer(unsigned long request, void *data) {
    if (request == VIDIOC_QUERYCAP) {
        struct v4l2_capability *cap = data;
        int encodes = getenv("ENCODES") != NULL;
        strcpy((char *)cap->card, "HD Webcam");
        cap->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        cap->device_caps = encodes ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE;
        return 0;
    }
    if (request == VIDIOC_ENUM_FMT) {
        struct v4l2_fmtdesc *format = data;
        if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || format->index > 1) return refuse();
        format->pixelformat = format->index ? V4L2_PIX_FMT_YUYV : V4L2_PIX_FMT_MJPEG;
        return 0;
    }
    if (request == VIDIOC_ENUM_FRAMESIZES) {
        struct v4l2_frmsizeenum *size = data;
        if (size->pixel_format == V4L2_PIX_FMT_YUYV) {
            if (size->index) return refuse();
            size->type = V4L2_FRMSIZE_TYPE_STEPWISE;
            size->stepwise = (struct v4l2_frmsize_stepwise){160, 800, 2, 120, 600, 4};
            return 0;
        }
        if (size->index > 1) return refuse();
        size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        size->discrete.width = size->index ? 640 : 1920;
        size->discrete.height = size->index ? 480 : 1080;
        return 0;
    }
    if (request == VIDIOC_ENUM_FRAMEINTERVALS) {
        struct v4l2_frmivalenum *interval = data;
        if (interval->pixel_format == V4L2_PIX_FMT_YUYV) {
            if (interval->index) return refuse();
            interval->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
            interval->stepwise.min = (struct v4l2_fract){1, 25};
            interval->stepwise.max = (struct v4l2_fract){1, 5};
            return 0;
        }
        if (interval->index > (interval->width == 640)) return refuse();
        interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        interval->discrete = interval->index ? (struct v4l2_fract){1001, 15000} : (struct v4l2_fract){1, 30};
        return 0;
    }
    return refuse();
}

int ioctl(int handle, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *data = va_arg(list, void *);
    va_end(list);
    request &= 0xffffffff;
    if (_IOC_TYPE(request) == 'V') return answer(request, data);
    int (*real)(int, unsigned long, void *) = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
    return real(handle, request, data);
}
