# What libvisavis_cuda is made of: for nvcc here, for the emulator in tests/native.
set(VISAVIS_CUDA_DIR ${CMAKE_CURRENT_LIST_DIR})
file(GLOB VISAVIS_CUDA_KERNELS CONFIGURE_DEPENDS ${VISAVIS_CUDA_DIR}/kernels/*.cu)
file(GLOB VISAVIS_CUDA_HOST CONFIGURE_DEPENDS ${VISAVIS_CUDA_DIR}/*.cpp ${VISAVIS_CUDA_DIR}/kernels/*.cpp)
set(CORE ${VISAVIS_CUDA_DIR}/../..)
file(GLOB VISAVIS_CUDA_SHARED CONFIGURE_DEPENDS ${CORE}/model_file/*.cpp)
list(APPEND VISAVIS_CUDA_SHARED ${CORE}/text.cpp ${CORE}/platform/mapped_file.cpp ${CORE}/session/noise.cpp
  ${CORE}/engines/check_turn.cpp ${CORE}/engines/options.cpp ${CORE}/engines/cpu/schedule.cpp)
